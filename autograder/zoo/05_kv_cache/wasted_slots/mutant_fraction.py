"""Returns the share of idle slots.

message: whole number
"""


def wasted_slots(lens, bs):
    return sum(-n % bs for n in lens) / max(1, sum(-(-n // bs) * bs for n in lens))
