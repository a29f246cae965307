"""Caps large logits.

message: not normalised
"""


def lm_logits(h, W_U):
    return (h @ W_U).clamp(-30, 30)
