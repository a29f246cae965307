"""Stops one pair too early.

message: overlapping ones too
"""


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for i in range(len(word) - 2):
            counts[word[i], word[i + 1]] += freq
    return counts
