"""Subtracts the maximum of the whole batch.

message: each row's maximum
"""


def temperature_probs(logits, tau):
    e = ((logits - logits.max()) / tau).exp()
    return e / e.sum(-1, keepdim=True)
