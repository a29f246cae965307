"""Returns probabilities.

message: Probabilities are returned
"""


def lm_logits(h, W_U):
    return (h @ W_U).softmax(-1)
