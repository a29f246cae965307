"""Floor of the negative."""


def blocks_needed(length, bs):
    return -(-length // bs)
