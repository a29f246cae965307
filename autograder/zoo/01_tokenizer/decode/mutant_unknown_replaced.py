"""Writes U+FFFD for unknown ids.

message: raises KeyError
"""


def decode(ids, vocab):
    return b"".join(vocab.get(i, b"\xff") for i in ids).decode("utf-8", errors="replace")
