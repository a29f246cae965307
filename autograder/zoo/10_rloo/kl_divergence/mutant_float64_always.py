"""Converts to float64 and stays there.

message: in float32
"""


def kl_divergence(p, q):
    p, q = p.double(), q.double()
    return torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p)).sum(-1)
