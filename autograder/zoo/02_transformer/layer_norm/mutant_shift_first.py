"""Shifts before it scales.

message: shift comes before the scale
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return ((x - mean) / (var + eps).sqrt() + beta) * gamma
