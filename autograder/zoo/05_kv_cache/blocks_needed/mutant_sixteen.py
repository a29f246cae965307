"""Assumes blocks of 16.

message: use bs
"""


def blocks_needed(length, bs):
    return -(-length // 16)
