"""Decodes as Latin-1.

message: Latin-1
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in ids).decode("latin-1")
