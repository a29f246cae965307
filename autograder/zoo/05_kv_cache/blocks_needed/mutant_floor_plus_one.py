"""Floor plus one: wrong at exact multiples.

message: at an exact multiple
"""


def blocks_needed(length, bs):
    return length // bs + 1
