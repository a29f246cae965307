"""Changes the list that it iterates over.

message: in place
"""


def merge_pair(ids, pair, new_id):
    for i, each in enumerate(ids):
        if i + 1 < len(ids) and (each, ids[i + 1]) == pair:
            ids[i] = new_id
            ids.pop(i + 1)
    return ids
