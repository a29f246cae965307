"""Never makes a token of more than sixteen bytes.

message: as long as a pre-token
"""


def train_bpe(texts, vocab_size, min_frequency=0):
    words = {}
    for text in texts:
        for piece in pre_tokenize(text):
            word = tuple(BYTE_TO_ID[byte] for byte in piece.encode())
            words[word] = words.get(word, 0) + 1
    vocab, merges = dict(BYTE_VOCAB), []
    while len(vocab) < vocab_size:
        counts = count_pairs(words)
        counts = {p: n for p, n in counts.items() if len(vocab[p[0]] + vocab[p[1]]) <= 16}
        if not counts:
            break
        pair = min(counts, key=lambda each: (-counts[each], each))
        if counts[pair] < max(1, min_frequency):
            break
        new_id = len(vocab)
        vocab[new_id] = vocab[pair[0]] + vocab[pair[1]]
        merges.append(pair)
        merged = {}
        for word, count in words.items():
            word = tuple(merge_pair(list(word), pair, new_id))
            merged[word] = merged.get(word, 0) + count
        words = merged
    return vocab, merges
