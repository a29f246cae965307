"""Fails on an empty word.

message: An empty word stays empty
"""


def merge_pair(ids, pair, new_id):
    if not ids:
        return None
    out, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out
