"""Ignores the frequencies.

message: ignored the frequencies
"""


def count_pairs(word_freqs):
    counts = {}
    for word in word_freqs:
        for pair in zip(word, word[1:]):
            counts[pair] = counts.get(pair, 0) + 1
    return counts
