"""Caps logits at the largest number of float16.

message: not normalised
"""


def lm_logits(h, W_U):
    return (h @ W_U).clamp(-65504, 65504)
