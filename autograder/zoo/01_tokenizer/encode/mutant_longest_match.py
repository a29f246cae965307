"""Takes the longest entry that fits, as WordPiece does.

message: longest entry
"""


def encode(text, merges):
    vocab = dict(BYTE_VOCAB)
    for k, (a, b) in enumerate(merges):
        vocab[256 + k] = vocab[a] + vocab[b]
    entry = {data: i for i, data in vocab.items()}
    ids = []
    for piece in pre_tokenize(text):
        data = piece.encode("utf-8")
        while data:
            n = max(n for n in range(1, len(data) + 1) if data[:n] in entry)
            ids.append(entry[data[:n]])
            data = data[n:]
    return ids
