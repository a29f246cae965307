"""Caps beta at 20.

message: no clamp
"""


def kl_objective(p, ref, r, beta):
    k = torch.where(p > 0, p * (p.clamp(min=1e-300).log() - ref.log()), 0.0).sum(-1)
    return (p * r).sum(-1) - min(beta, 20.0) * k
