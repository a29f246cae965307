"""Returns log-probabilities.

message: logarithms
"""


def temperature_probs(logits, tau):
    return (logits / tau).log_softmax(-1)
