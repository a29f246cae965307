"""Returns one number per sequence.

message: whole number
"""


def wasted_slots(lens, bs):
    return [-length % bs for length in lens]
