"""p where p > q.

message: positive part of p - q
"""


def residual_distribution(p, q):
    excess = torch.where(p > q, p, 0.0)
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
