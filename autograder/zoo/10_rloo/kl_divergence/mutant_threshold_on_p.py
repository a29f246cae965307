"""Drops outcomes whose probability is below a threshold.

message: compare with 0 exactly
"""


def kl_divergence(p, q):
    terms = torch.where(p > 1e-12, p * (p.log() - q.log()), torch.zeros_like(p))
    return terms.sum(-1)
