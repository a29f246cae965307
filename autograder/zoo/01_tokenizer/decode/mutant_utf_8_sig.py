"""Decodes with the codec that eats a byte-order mark.

message: A byte-order mark at the start
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in ids).decode("utf-8-sig", errors="replace")
