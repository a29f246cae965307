"""Treats (a, b) and (b, a) as one.

message: Pairs are ordered
"""


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for pair in zip(word, word[1:]):
            counts[tuple(sorted(pair))] += freq
    return counts
