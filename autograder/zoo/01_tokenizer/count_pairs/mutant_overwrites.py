"""Assigns instead of adding.

message: instead of adding
"""


def count_pairs(word_freqs):
    counts = {}
    for word, freq in word_freqs.items():
        for pair in zip(word, word[1:]):
            counts[pair] = freq
    return counts
