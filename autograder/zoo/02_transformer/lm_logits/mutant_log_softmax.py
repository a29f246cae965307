"""Returns log-probabilities.

message: Log-probabilities are returned
"""


def lm_logits(h, W_U):
    return (h @ W_U).log_softmax(-1)
