"""Bytes as a list of integers, and str()."""


def decode(ids, vocab):
    return str(bytes([byte for i in ids for byte in vocab[i]]), "utf-8", "replace")
