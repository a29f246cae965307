"""Looks at the longest sequence only.

message: longest sequence only
"""


def wasted_slots(lens, bs):
    return -max(lens, default=0) % bs
