"""Ignores tau.

message: no effect
"""


def temperature_probs(logits, tau):
    return logits.softmax(-1)
