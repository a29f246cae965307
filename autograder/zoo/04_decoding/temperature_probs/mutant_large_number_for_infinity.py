"""Replaces minus infinity by a large negative number.

message: no large number
"""


def temperature_probs(logits, tau):
    return (torch.nan_to_num(logits, neginf=-1e4) / tau).softmax(-1)
