"""Counts block starts."""


def blocks_needed(length, bs):
    return len(range(0, length, bs))
