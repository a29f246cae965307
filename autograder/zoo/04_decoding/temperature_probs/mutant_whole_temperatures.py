"""Rounds temperatures above 1 down.

message: softmax(logits / tau)
"""


def temperature_probs(logits, tau):
    return (logits / (int(tau) if tau > 1 else tau)).softmax(-1)
