"""Counts a pair once per word.

message: once per word
"""


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for pair in set(zip(word, word[1:])):
            counts[pair] += freq
    return counts
