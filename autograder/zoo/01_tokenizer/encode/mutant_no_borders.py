"""Encodes the whole text as one piece.

message: Cut the text with pre_tokenize
"""


def encode(text, merges):
    rank = {pair: k for k, pair in enumerate(merges)}
    ids = []
    for piece in [text]:
        word = [BYTE_TO_ID[b] for b in piece.encode("utf-8")]
        while True:
            present = [pair for pair in zip(word, word[1:]) if pair in rank]
            if not present:
                break
            best = min(present, key=rank.get)
            word = merge_pair(word, best, 256 + rank[best])
        ids.extend(word)
    return ids
