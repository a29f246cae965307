"""Uses code points instead of bytes.

message: code points
"""


def encode(text, merges):
    rank = {pair: k for k, pair in enumerate(merges)}
    ids = []
    for piece in pre_tokenize(text):
        word = [BYTE_TO_ID.get(ord(c), ord(c)) for c in piece]
        while True:
            present = [pair for pair in zip(word, word[1:]) if pair in rank]
            if not present:
                break
            best = min(present, key=rank.get)
            word = merge_pair(word, best, 256 + rank[best])
        ids.extend(word)
    return ids
