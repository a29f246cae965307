"""Returns a float.

message: whole number
"""


def blocks_needed(length, bs):
    return float(np.ceil(length / bs))
