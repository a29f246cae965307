"""Clamps outliers.

message: Any number of leading dimensions
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    return (c / (c.square().mean(-1, keepdim=True) + eps).sqrt()).clamp(-3, 3) * gamma + beta
