"""Removes repeated ids.

message: one by one and in order
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in dict.fromkeys(ids)).decode("utf-8", errors="replace")
