"""Pads to the longest sequence.

message: pad to the longest
"""


def wasted_slots(lens, bs):
    return sum(max(lens, default=0) - length for length in lens)
