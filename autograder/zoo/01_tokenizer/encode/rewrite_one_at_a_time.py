"""Merges the leftmost occurrence of the lowest rank, one at a time, without merge_pair."""


def encode(text, merges):
    rank = {pair: k for k, pair in enumerate(merges)}
    out = []
    for piece in pre_tokenize(text):
        word = [BYTE_TO_ID[b] for b in piece.encode()]
        while len(word) >= 2:
            ranks = [rank.get((a, b), len(merges)) for a, b in zip(word, word[1:])]
            lowest = min(ranks)
            if lowest == len(merges):
                break
            i = ranks.index(lowest)
            word[i : i + 2] = [256 + lowest]
        out += word
    return out
