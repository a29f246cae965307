"""Averages over the outcomes.

message: instead of summing
"""


def kl_divergence(p, q):
    return torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p)).mean(-1)
