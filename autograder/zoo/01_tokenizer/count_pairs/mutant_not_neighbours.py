"""Counts all ordered pairs of a word, not only neighbours.

message: Every occurrence of a pair
"""

from itertools import combinations


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for pair in combinations(word, 2):
            counts[pair] += freq
    return counts
