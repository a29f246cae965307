"""Drops a byte-order mark.

message: no clean-up
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace").replace("\ufeff", "")
