"""Checks for zeros of q without looking at p.

message: 0 ln 0
"""


def kl_divergence(p, q):
    terms = torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p)).sum(-1)
    return torch.where((q == 0).any(-1), torch.full_like(terms, torch.inf), terms)
