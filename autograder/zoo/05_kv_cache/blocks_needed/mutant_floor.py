"""Rounds down.

message: round down
"""


def blocks_needed(length, bs):
    return length // bs
