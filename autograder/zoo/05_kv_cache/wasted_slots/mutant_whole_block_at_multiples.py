"""Counts a whole block as idle at exact multiples.

message: no idle slot
"""


def wasted_slots(lens, bs):
    return sum(bs - length % bs for length in lens)
