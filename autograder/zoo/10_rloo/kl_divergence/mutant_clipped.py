"""Clips both distributions away from zero.

message: do not clip
"""


def kl_divergence(p, q):
    p, q = p.clamp(min=1e-12), q.clamp(min=1e-12)
    return (p * (p / q).log()).sum(-1)
