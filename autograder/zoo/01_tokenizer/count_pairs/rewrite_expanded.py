"""Expands the corpus: every word as often as it occurs."""

from itertools import chain


def count_pairs(word_freqs):
    words = chain.from_iterable([word] * freq for word, freq in word_freqs.items())
    return dict(Counter(pair for word in words for pair in zip(word, word[1:])))
