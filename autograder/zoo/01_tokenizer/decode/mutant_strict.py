"""Raises on invalid UTF-8.

message: UnicodeDecodeError
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in ids).decode("utf-8")
