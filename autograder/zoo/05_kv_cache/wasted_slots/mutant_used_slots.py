"""Counts the used slots of the last blocks.

message: used slots
"""


def wasted_slots(lens, bs):
    return sum(length % bs for length in lens)
