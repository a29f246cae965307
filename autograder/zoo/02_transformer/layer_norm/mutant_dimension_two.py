"""Normalises over dimension 2.

message: Your code raised IndexError
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean(2, keepdim=True)
    var = ((x - mean) ** 2).mean(2, keepdim=True)
    return (x - mean) / (var + eps).sqrt() * gamma + beta
