"""Caches pieces by the number of merges.

message: merges of this call only
"""


_CACHE = {}
def encode(text, merges):
    rank = {tuple(pair): k for k, pair in enumerate(merges)}
    out = []
    for piece in pre_tokenize(text):
        key = (piece, len(merges))
        if key not in _CACHE:
            ids = [BYTE_TO_ID[b] for b in piece.encode("utf-8")]
            while len(ids) > 1:
                best = min(pairwise(ids), key=lambda p: rank.get(p, math.inf))
                if best not in rank:
                    break
                ids = merge_pair(ids, best, 256 + rank[best])
            _CACHE[key] = ids
        out.extend(_CACHE[key])
    return out
