"""Merges as lists, the vocabulary built at the end, a recursive step."""


def train_bpe(texts, vocab_size, min_frequency=0):
    corpus = Counter()
    for text in texts:
        corpus.update(pre_tokenize(text))
    words = {tuple(map(BYTE_TO_ID.get, piece.encode())): n for piece, n in corpus.items()}

    def learn(words, merges):
        counts = count_pairs(words)
        top = max(counts.values(), default=0)
        if 256 + len(merges) >= vocab_size or top < max(1, min_frequency):
            return merges
        pair = min(p for p, n in counts.items() if n == top)
        new_id = 256 + len(merges)
        after = {tuple(merge_pair(list(w), pair, new_id)): n for w, n in words.items()}
        return learn(after, merges + [pair])

    merges = learn(words, [])
    vocab = dict(BYTE_VOCAB)
    for k, (left, right) in enumerate(merges):
        vocab[256 + k] = vocab[left] + vocab[right]
    return vocab, [list(pair) for pair in merges]
