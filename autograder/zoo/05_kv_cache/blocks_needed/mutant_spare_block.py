"""Always keeps one spare block.

message: one block too many
"""


def blocks_needed(length, bs):
    return -(-length // bs) + 1
