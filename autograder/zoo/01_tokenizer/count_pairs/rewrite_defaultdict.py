"""A defaultdict and indices."""

from collections import defaultdict


def count_pairs(word_freqs):
    counts = defaultdict(int)
    for word in word_freqs:
        for i in range(1, len(word)):
            counts[(word[i - 1], word[i])] += word_freqs[word]
    return counts
