"""A for loop with a flag."""


def merge_pair(ids, pair, new_id):
    merged, skip = [], False
    for left, right in zip(ids, [*ids[1:], None]):
        if skip:
            skip = False
        elif (left, right) == pair:
            merged.append(new_id)
            skip = True
        else:
            merged.append(left)
    return merged
