"""Subtracts the largest logit.

message: Logits are h @ W_U
"""


def lm_logits(h, W_U):
    logits = h @ W_U
    return logits - logits.amax(-1, keepdim=True)
