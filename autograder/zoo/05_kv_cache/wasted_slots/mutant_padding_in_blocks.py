"""Pads to the blocks of the longest sequence.

message: blocks of the longest
"""


def wasted_slots(lens, bs):
    longest = -(-max(lens, default=0) // bs) * bs
    return sum(longest - length for length in lens)
