"""Does not normalise.

message: not normalised
"""


def temperature_probs(logits, tau):
    return logits.softmax(-1) ** (1 / tau)
