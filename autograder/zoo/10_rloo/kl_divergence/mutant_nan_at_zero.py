"""Ignores 0 ln 0 = 0.

message: 0 ln 0
"""


def kl_divergence(p, q):
    return (p * (p.log() - q.log())).sum(-1)
