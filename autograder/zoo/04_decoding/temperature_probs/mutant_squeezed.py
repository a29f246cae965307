"""Squeezes a batch of one.

message: whatever stands before it
"""


def temperature_probs(logits, tau):
    return (logits / tau).softmax(-1).squeeze()
