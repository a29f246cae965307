"""The last position only, with its dimension.

message: Only the last position
"""


def lm_logits(h, W_U):
    return h[:, -1:] @ W_U
