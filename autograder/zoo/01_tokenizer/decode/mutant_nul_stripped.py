"""Strips NULs at the end.

message: NUL at the end
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace").rstrip("\x00")
