"""Drops unknown ids.

message: raises KeyError
"""


def decode(ids, vocab):
    return b"".join(vocab.get(i, b"") for i in ids).decode("utf-8", errors="replace")
