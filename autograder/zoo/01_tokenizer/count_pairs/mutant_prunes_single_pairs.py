"""Drops pairs that occur once.

message: occurs a single time
"""


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for pair in pairwise(word):
            counts[pair] += freq
    return {p: n for p, n in counts.items() if n > 1}
