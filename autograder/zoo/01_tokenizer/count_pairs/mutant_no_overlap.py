"""Counts occurrences that do not overlap.

message: counted without overlap
"""


def count_pairs(word_freqs):
    counts = {}
    for word, freq in word_freqs.items():
        i, last = 0, None
        while i + 1 < len(word):
            pair = (word[i], word[i + 1])
            if pair == last and word[i] == word[i + 1]:
                last = None
            else:
                counts[pair] = counts.get(pair, 0) + freq
                last = pair
            i += 1
    return counts
