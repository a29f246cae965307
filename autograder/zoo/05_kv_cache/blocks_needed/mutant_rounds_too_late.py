"""Adds bs instead of bs - 1.

message: at an exact multiple
"""


def blocks_needed(length, bs):
    return (length + bs) // bs
