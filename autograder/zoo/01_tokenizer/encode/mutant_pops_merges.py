"""Eats the list of merges.

message: in place
"""


def encode(text, merges):
    pieces = [[BYTE_TO_ID[b] for b in piece.encode("utf-8")] for piece in pre_tokenize(text)]
    new_id = 256
    while merges:
        pair = merges.pop(0)
        pieces = [merge_pair(piece, pair, new_id) for piece in pieces]
        new_id += 1
    return [i for piece in pieces for i in piece]
