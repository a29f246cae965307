"""Ignores invalid bytes.

message: ignored the bytes
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="ignore")
