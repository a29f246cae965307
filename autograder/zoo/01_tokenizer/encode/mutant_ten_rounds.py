"""Gives up after ten merges.

message: go on until no pair
"""


def encode(text, merges):
    rank = {tuple(pair): k for k, pair in enumerate(merges)}
    out = []
    for piece in pre_tokenize(text):
        ids = [BYTE_TO_ID[b] for b in piece.encode("utf-8")]
        for _ in range(10):
            if len(ids) < 2:
                break
            best = min(pairwise(ids), key=lambda p: rank.get(p, math.inf))
            if best not in rank:
                break
            ids = merge_pair(ids, best, 256 + rank[best])
        out.extend(ids)
    return out
