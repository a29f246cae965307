"""Looks at every distinct text once.

message: less than max(1, min_frequency)
"""


def train_bpe(texts, vocab_size, min_frequency=0):
    words = Counter()
    for text in dict.fromkeys(texts):
        for piece in pre_tokenize(text):
            words[tuple(BYTE_TO_ID[b] for b in piece.encode("utf-8"))] += 1
    vocab, merges = dict(BYTE_VOCAB), []
    while len(vocab) < vocab_size:
        counts = count_pairs(words)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < max(1, min_frequency):
            break
        new_id = len(vocab)
        vocab[new_id] = vocab[best[0]] + vocab[best[1]]
        merges.append(best)
        words = {tuple(merge_pair(list(w), best, new_id)): n for w, n in words.items()}
    return vocab, merges
