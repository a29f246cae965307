"""Always float64.

message: dtype of the logits
"""


def temperature_probs(logits, tau):
    return (logits.double() / tau).softmax(-1)
