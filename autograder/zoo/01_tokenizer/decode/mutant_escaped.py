"""Writes invalid bytes as escapes.

message: U+FFFD
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="backslashreplace")
