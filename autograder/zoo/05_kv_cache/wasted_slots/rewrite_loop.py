"""A loop with a special case."""


def wasted_slots(lens, bs):
    idle = 0
    for length in lens:
        rest = length % bs
        if rest:
            idle += bs - rest
    return idle
