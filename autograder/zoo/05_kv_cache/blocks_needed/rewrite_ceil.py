"""math.ceil."""


def blocks_needed(length, bs):
    return math.ceil(length / bs)
