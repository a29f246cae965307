"""Replaces in the joined digits.

message: not their digits
"""


def merge_pair(ids, pair, new_id):
    text = " ".join(map(str, ids))
    text = text.replace(f"{pair[0]} {pair[1]}", str(new_id))
    return [int(each) for each in text.split()]
