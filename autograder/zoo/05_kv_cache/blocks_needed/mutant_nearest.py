"""Rounds to the nearest number.

message: number is
"""


def blocks_needed(length, bs):
    return round(length / bs)
