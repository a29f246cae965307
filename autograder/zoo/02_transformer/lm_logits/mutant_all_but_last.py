"""Drops the last position.

message: at every position
"""


def lm_logits(h, W_U):
    return h[..., :-1, :] @ W_U if h.ndim > 1 else h @ W_U
