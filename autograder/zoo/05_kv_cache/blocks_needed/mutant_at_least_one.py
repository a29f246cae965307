"""Gives an empty sequence a block.

message: holds no block
"""


def blocks_needed(length, bs):
    return max(1, -(-length // bs))
