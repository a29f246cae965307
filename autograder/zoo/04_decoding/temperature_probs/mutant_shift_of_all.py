"""Subtracts the maximum of the whole batch of magnitudes.

message: softmax, or subtract
"""


def temperature_probs(logits, tau):
    e = ((logits - logits.abs().max()) / tau).exp()
    return e / e.sum(-1, keepdim=True)
