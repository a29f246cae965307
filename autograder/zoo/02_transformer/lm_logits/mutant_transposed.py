"""Expects [V, d].

message: Your code raised RuntimeError
"""


def lm_logits(h, W_U):
    return h @ W_U.T
