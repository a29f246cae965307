"""Softmax over dimension 1.

message: over the last dimension
"""


def temperature_probs(logits, tau):
    return (logits / tau).softmax(1 if logits.ndim > 1 else 0)
