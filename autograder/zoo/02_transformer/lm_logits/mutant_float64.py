"""Returns float64.

message: Keep float32
"""


def lm_logits(h, W_U):
    return (h @ W_U).double()
