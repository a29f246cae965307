"""Encodes as Latin-1 and replaces the rest.

message: UTF-8 bytes
"""


def encode(text, merges):
    rank = {pair: k for k, pair in enumerate(merges)}
    ids = []
    for piece in pre_tokenize(text):
        word = [BYTE_TO_ID[b] for b in piece.encode("latin-1", "replace")]
        while True:
            present = [pair for pair in zip(word, word[1:]) if pair in rank]
            if not present:
                break
            best = min(present, key=rank.get)
            word = merge_pair(word, best, 256 + rank[best])
        ids.extend(word)
    return ids
