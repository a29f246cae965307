"""Normalises over everything.

message: run over everything
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean()
    var = ((x - mean) ** 2).mean()
    return (x - mean) / (var + eps).sqrt() * gamma + beta
