"""Pops the words while it counts.

message: in place
"""


def count_pairs(word_freqs):
    counts = Counter()
    while word_freqs:
        word, freq = word_freqs.popitem()
        for pair in zip(word, word[1:]):
            counts[pair] += freq
    return counts
