"""One softmax over everything.

message: all rows together
"""


def temperature_probs(logits, tau):
    return (logits / tau).flatten().softmax(0).view_as(logits)
