"""Counts each length once.

message: Add up
"""


def wasted_slots(lens, bs):
    return sum(-n % bs for n in {n % bs for n in lens})
