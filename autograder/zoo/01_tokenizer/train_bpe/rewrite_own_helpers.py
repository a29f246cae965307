"""Uses none of the earlier functions but pre_tokenize, and works on bytes."""


def train_bpe(texts, vocab_size, min_frequency=0):
    words = Counter(piece for text in texts for piece in pre_tokenize(text))
    split = {piece: [BYTE_TO_ID[b] for b in piece.encode("utf-8")] for piece in words}
    vocab, merges = BYTE_VOCAB.copy(), []
    while len(vocab) < vocab_size:
        counts = Counter()
        for piece, ids in split.items():
            for i in range(len(ids) - 1):
                counts[ids[i], ids[i + 1]] += words[piece]
        best, most = None, max(0, min_frequency - 1)
        for pair in sorted(counts):
            if counts[pair] > most:
                best, most = pair, counts[pair]
        if best is None:
            break
        new = 256 + len(merges)
        merges.append(best)
        vocab[new] = b"".join(vocab[i] for i in best)
        for ids in split.values():
            i = 0
            while i + 1 < len(ids):
                if (ids[i], ids[i + 1]) == best:
                    ids[i : i + 2] = [new]
                i += 1
    return vocab, merges
