"""Divides the probabilities and renormalises.

message: no effect
"""


def temperature_probs(logits, tau):
    p = logits.softmax(-1) / tau
    return p / p.sum(-1, keepdim=True)
