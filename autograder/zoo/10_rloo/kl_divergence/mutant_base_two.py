"""Measures in bits.

message: base 2
"""


def kl_divergence(p, q):
    return torch.where(p > 0, p * (p.log2() - q.log2()), torch.zeros_like(p)).sum(-1)
