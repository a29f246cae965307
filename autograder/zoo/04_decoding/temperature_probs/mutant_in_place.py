"""Divides the logits in place.

message: changed one of its arguments
"""


def temperature_probs(logits, tau):
    return logits.div_(tau).softmax(-1)
