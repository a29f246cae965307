"""Bounds the temperature below.

message: As tau goes to 0
"""


def temperature_probs(logits, tau):
    return (logits / max(tau, 0.01)).softmax(-1)
