"""Removes the space before punctuation.

message: no clean-up
"""


def decode(ids, vocab):
    text = b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace")
    return text.replace(" ,", ",").replace(" 's", "'s")
