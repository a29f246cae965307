"""Tempers the logits and the probabilities.

message: softmax(logits / tau)
"""


def temperature_probs(logits, tau):
    p = (logits / tau).softmax(-1) ** (1 / tau)
    return p / p.sum(-1, keepdim=True)
