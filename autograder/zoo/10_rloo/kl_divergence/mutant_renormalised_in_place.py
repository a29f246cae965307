"""Normalises its arguments in place first.

message: in place
"""


def kl_divergence(p, q):
    p /= p.sum(-1, keepdim=True) * 1.0000001
    return torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p)).sum(-1)
