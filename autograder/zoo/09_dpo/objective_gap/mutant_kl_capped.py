"""Caps the KL divergence at 10000.

message: no clamp
"""


def objective_gap(p, ref, r, beta):
    lp = torch.log_softmax(ref.log() + r / beta, -1)
    k = torch.where(p > 0, p * (p.clamp(min=1e-300).log() - lp), 0.0).sum(-1)
    return beta * k.clamp(max=1e4)
