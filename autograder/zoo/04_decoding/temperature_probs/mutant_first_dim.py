"""Softmax over the first dimension.

message: over the last dimension
"""


def temperature_probs(logits, tau):
    return (logits / tau).softmax(0)
