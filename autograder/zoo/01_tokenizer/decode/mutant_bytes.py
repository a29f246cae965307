"""Returns bytes.

message: Join the bytes
"""


def decode(ids, vocab):
    return b"".join(vocab[i] for i in ids)
