"""Starts over after each merge, so that a new id can be merged at once.

message: is not merged again
"""


def merge_pair(ids, pair, new_id):
    out = list(ids)
    i = 0
    while i + 1 < len(out):
        if (out[i], out[i + 1]) == pair:
            out[i : i + 2] = [new_id]
            i = 0
            if new_id in pair and len(out) < 2:
                break
        else:
            i += 1
    return out
