"""Counts the original words each time and skips pairs already merged.

message: stale
"""


def train_bpe(texts, vocab_size, min_frequency=0):
    words = Counter()
    for text in texts:
        for piece in pre_tokenize(text):
            words[tuple(BYTE_TO_ID[b] for b in piece.encode("utf-8"))] += 1
    vocab, merges = dict(BYTE_VOCAB), []
    while len(vocab) < vocab_size:
        counts = {p: n for p, n in count_pairs(words).items() if p not in merges}
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < max(1, min_frequency):
            break
        new_id = len(vocab)
        vocab[new_id] = vocab[best[0]] + vocab[best[1]]
        merges.append(best)
    return vocab, merges
