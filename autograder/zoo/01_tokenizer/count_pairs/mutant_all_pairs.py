"""Lists every possible pair, zero counts included.

message: pairs that do not occur are absent
"""


def count_pairs(word_freqs):
    ids = sorted({i for word in word_freqs for i in word})
    counts = {(a, b): 0 for a in ids for b in ids}
    for word, freq in word_freqs.items():
        for pair in zip(word, word[1:]):
            counts[pair] += freq
    return counts
