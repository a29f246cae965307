"""divmod and a bool."""


def blocks_needed(length, bs):
    full, rest = divmod(length, bs)
    return full + int(rest > 0)
