"""Caps frequencies at a thousand.

message: very often
"""


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for pair in pairwise(word):
            counts[pair] += min(freq, 1000)
    return counts
