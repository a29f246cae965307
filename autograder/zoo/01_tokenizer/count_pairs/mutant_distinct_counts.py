"""Squares the weight: multiplies by the frequency once more.

message: Every occurrence of a pair
"""


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for pair in zip(word, word[1:]):
            counts[pair] += freq * freq
    return counts
