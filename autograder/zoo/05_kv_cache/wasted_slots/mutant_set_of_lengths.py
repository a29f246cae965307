"""Goes through the set of the lengths.

message: they share no blocks
"""
def wasted_slots(lens, bs):
    return sum(blocks_needed(n, bs) * bs - n for n in set(lens))
