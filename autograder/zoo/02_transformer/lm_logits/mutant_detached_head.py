"""Cuts the graph of the head.

message: nothing is detached
"""


def lm_logits(h, W_U):
    return h @ W_U.detach()
