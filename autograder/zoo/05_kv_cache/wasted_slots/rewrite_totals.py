"""Allocated slots minus tokens."""


def wasted_slots(lens, bs):
    return sum(blocks_needed(n, bs) for n in lens) * bs - sum(lens)
