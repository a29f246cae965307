"""Forgets to round.

message: whole number
"""


def blocks_needed(length, bs):
    return length / bs
