"""p times the probability of rejection.

message: positive part of p - q
"""


def residual_distribution(p, q):
    excess = p * (1 - torch.minimum(torch.ones_like(p), p / q.clamp(min=1e-30)))
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
