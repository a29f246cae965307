"""Returns a numpy array.

message: A tensor was expected
"""


def temperature_probs(logits, tau):
    return (logits / tau).softmax(-1).numpy()
