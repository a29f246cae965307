"""Bounds the temperature above.

message: uniform
"""


def temperature_probs(logits, tau):
    return (logits / min(tau, 100.0)).softmax(-1)
