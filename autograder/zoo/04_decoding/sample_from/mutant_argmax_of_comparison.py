"""argmax of cumulative > u.

message: argmax of a comparison
"""


def sample_from(probs, u):
    return (probs.cumsum(-1) > u[..., None]).int().argmax(-1)
