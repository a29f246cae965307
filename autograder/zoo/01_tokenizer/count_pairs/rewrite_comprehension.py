"""One Counter per word, scaled and added."""


def count_pairs(word_freqs):
    total = {}
    for word, freq in word_freqs.items():
        for pair, n in Counter(zip(word[:-1], word[1:])).items():
            total[pair] = total.get(pair, 0) + n * freq
    return total
