"""Fails without sequences.

message: IndexError
"""


def wasted_slots(lens, bs):
    idle = [-length % bs for length in lens]
    idle[0] += 0
    return sum(idle)
