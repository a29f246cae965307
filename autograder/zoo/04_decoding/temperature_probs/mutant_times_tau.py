"""Multiplies by tau.

message: multiplied by tau
"""


def temperature_probs(logits, tau):
    return (logits * tau).softmax(-1)
