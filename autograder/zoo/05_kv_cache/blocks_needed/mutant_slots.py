"""Returns slots.

message: slots, not blocks
"""


def blocks_needed(length, bs):
    return -(-length // bs) * bs
