"""Words as lists with a parallel list of frequencies, and sorting."""


def train_bpe(texts, vocab_size, min_frequency=0):
    frequencies = {}
    for text in texts:
        for piece in pre_tokenize(text):
            frequencies[piece] = frequencies.get(piece, 0) + 1
    words = [[BYTE_TO_ID[b] for b in piece.encode()] for piece in frequencies]
    weights = list(frequencies.values())
    vocab = {i: BYTE_VOCAB[i] for i in range(256)}
    merges = []
    for new_id in range(256, vocab_size):
        counts = {}
        for word, weight in zip(words, weights):
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + weight
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if not ranked or ranked[0][1] < max(1, min_frequency):
            break
        best = ranked[0][0]
        vocab[new_id] = vocab[best[0]] + vocab[best[1]]
        merges.append(best)
        words = [merge_pair(word, best, new_id) for word in words]
    return vocab, merges
