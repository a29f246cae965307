"""Divides by the standard deviation, too.

message: softmax(logits / tau)
"""


def temperature_probs(logits, tau):
    return (logits / logits.std(-1, keepdim=True) / tau).softmax(-1)
