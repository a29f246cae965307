"""Takes a very small probability of q for zero.

message: large, not infinite
"""


def kl_divergence(p, q):
    total = torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p)).sum(-1)
    return total.masked_fill(((p > 0) & (q < 1e-10)).any(-1), torch.inf)
