"""Merges one occurrence, then forbids the pair.

message: again and again
"""


def encode(text, merges):
    rank = {pair: k for k, pair in enumerate(merges)}
    ids = []
    for piece in pre_tokenize(text):
        word = [BYTE_TO_ID[b] for b in piece.encode("utf-8")]
        while True:
            present = [pair for pair in zip(word, word[1:]) if pair in rank]
            if not present:
                break
            best = min(present, key=rank.get)
            i = list(zip(word, word[1:])).index(best)
            word = word[:i] + [256 + rank.pop(best)] + word[i + 2 :]
        ids.extend(word)
    return ids
