"""Computes in float32.

message: softmax(logits / tau)
"""


def temperature_probs(logits, tau):
    return (logits.float() / tau).softmax(-1).to(logits.dtype)
