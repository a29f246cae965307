"""Returns None for no ids.

message: empty string
"""


def decode(ids, vocab):
    if ids:
        return b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace")
