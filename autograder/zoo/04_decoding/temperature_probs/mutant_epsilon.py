"""Adds a small number to tau.

message: softmax(logits / tau)
"""


def temperature_probs(logits, tau):
    return (logits / (tau + 1e-6)).softmax(-1)
