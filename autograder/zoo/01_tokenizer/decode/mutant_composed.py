"""Normalises to NFC.

message: no normalisation
"""


def decode(ids, vocab):
    import unicodedata
    return unicodedata.normalize("NFC", b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace"))
