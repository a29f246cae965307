"""Clips the logits.

message: Large logits
"""


def temperature_probs(logits, tau):
    return (logits.clamp(-100, 100) / tau).softmax(-1)
