"""Raises the logits to 1/tau.

message: softmax(logits / tau)
"""


def temperature_probs(logits, tau):
    return (logits ** (1 / tau)).softmax(-1)
