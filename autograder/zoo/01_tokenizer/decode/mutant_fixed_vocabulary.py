"""Uses the byte table instead of the vocabulary.

message: KeyError
"""


def decode(ids, vocab):
    return b"".join(BYTE_VOCAB[i] for i in ids).decode("utf-8", errors="replace")
