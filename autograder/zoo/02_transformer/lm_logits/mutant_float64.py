"""Returns float64.

message: the dtype of h
"""


def lm_logits(h, W_U):
    return (h @ W_U).double()
