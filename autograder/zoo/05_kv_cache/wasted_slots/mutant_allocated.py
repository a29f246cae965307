"""Counts all allocated slots.

message: used ones included
"""


def wasted_slots(lens, bs):
    return sum(-(-length // bs) * bs for length in lens)
