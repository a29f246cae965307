"""Counts across the border of two words.

message: do not cross the border
"""


def count_pairs(word_freqs):
    counts = {}
    previous = None
    for word, freq in word_freqs.items():
        for each in word:
            if previous is not None:
                pair = (previous, each)
                counts[pair] = counts.get(pair, 0) + freq
            previous = each
    return counts
