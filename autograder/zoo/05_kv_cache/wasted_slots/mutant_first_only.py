"""Looks at the first sequence only.

message: first sequence only
"""


def wasted_slots(lens, bs):
    return -lens[0] % bs if lens else 0
