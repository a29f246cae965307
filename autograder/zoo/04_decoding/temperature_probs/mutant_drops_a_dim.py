"""Squeezes a batch away.

message: The shape
"""


def temperature_probs(logits, tau):
    return (logits / tau).softmax(-1).reshape(-1, logits.shape[-1])
