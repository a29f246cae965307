"""Masks outcomes where either is zero.

message: do not clip
"""


def kl_divergence(p, q):
    both = (p > 0) & (q > 0)
    return torch.where(both, p * (p.log() - q.log()), torch.zeros_like(p)).sum(-1)
