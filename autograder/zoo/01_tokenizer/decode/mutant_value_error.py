"""Raises another exception for unknown ids.

message: raises KeyError
"""


def decode(ids, vocab):
    if any(i not in vocab for i in ids):
        raise ValueError("unknown id")
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace")
