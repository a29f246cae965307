"""argmax.

message: most probable token
"""


def sample_from(probs, u):
    return probs.argmax(-1).clone()
