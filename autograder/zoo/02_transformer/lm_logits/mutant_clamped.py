"""Clamps the logits.

message: Logits are h @ W_U
"""


def lm_logits(h, W_U):
    return (h @ W_U).clamp(-5, 5)
