"""Drops the dimension of a single text.

message: at every position
"""


def lm_logits(h, W_U):
    return (h @ W_U).squeeze(0)
