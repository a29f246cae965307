"""Divides by sqrt(d).

message: divided by sqrt(d)
"""


def lm_logits(h, W_U):
    return h @ W_U / math.sqrt(h.shape[-1])
