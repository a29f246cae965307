"""Always float32.

message: The dtype
"""


def temperature_probs(logits, tau):
    return (logits.float() / tau).softmax(-1)
