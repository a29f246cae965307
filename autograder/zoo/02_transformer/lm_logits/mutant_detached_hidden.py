"""Cuts the graph of h.

message: nothing is detached
"""


def lm_logits(h, W_U):
    return h.detach() @ W_U
