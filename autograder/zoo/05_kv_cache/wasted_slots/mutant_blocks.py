"""Counts blocks that are not full.

message: share no blocks
"""


def wasted_slots(lens, bs):
    return sum(length % bs > 0 for length in lens)
