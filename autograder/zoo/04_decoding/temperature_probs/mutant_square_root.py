"""Takes the square root of tau.

message: softmax(logits / tau)
"""


def temperature_probs(logits, tau):
    return (logits / tau ** 0.5).softmax(-1)
