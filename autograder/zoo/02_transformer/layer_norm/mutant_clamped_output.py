"""Clamps what it returns.

message: over the last dimension
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return ((x - mean) / (var + eps).sqrt()).clamp(-1.5, 1.5) * gamma + beta
