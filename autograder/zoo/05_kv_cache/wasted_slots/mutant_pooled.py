"""Rounds up the total length.

message: round up the total
"""


def wasted_slots(lens, bs):
    return -sum(lens) % bs
