"""Decodes every token by itself.

message: token by token
"""


def decode(ids, vocab):
    return "".join(vocab[i].decode("utf-8", errors="replace") for i in ids)
