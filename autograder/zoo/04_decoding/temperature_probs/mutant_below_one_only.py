"""Temperatures above 1 have no effect.

message: no effect
"""


def temperature_probs(logits, tau):
    return (logits / min(tau, 1.0)).softmax(-1)
