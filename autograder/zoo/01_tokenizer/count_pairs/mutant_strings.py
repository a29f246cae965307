"""Keys are strings.

message: Every occurrence of a pair
"""


def count_pairs(word_freqs):
    counts = Counter()
    for word, freq in word_freqs.items():
        for a, b in zip(word, word[1:]):
            counts[f"{a} {b}"] += freq
    return counts
