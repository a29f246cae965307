"""Prefers the byte table to a full vocabulary.

message: need not be that of train_bpe
"""


def decode(ids, vocab):
    return b"".join((BYTE_VOCAB[i] if i in BYTE_VOCAB and i in vocab and len(vocab) >= 256 else vocab[i]) for i in ids).decode("utf-8", errors="replace")
