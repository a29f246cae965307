"""Softmax over dimension 1 of a batch of matrices.

message: over the last dimension
"""


def temperature_probs(logits, tau):
    return (logits / tau).softmax(-2 if logits.ndim > 2 else -1)
