"""Puts a floor of 1e-6 under the reference.

message: no clamp
"""


def kl_objective(p, ref, r, beta):
    k = torch.where(p > 0, p * (p.clamp(min=1e-300).log() - ref.clamp(min=1e-6).log()), 0.0).sum(-1)
    return (p * r).sum(-1) - beta * k
