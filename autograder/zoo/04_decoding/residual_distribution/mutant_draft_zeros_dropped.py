"""Only where the draft is positive.

message: never proposes are in the residual
"""


def residual_distribution(p, q):
    excess = torch.where(q > 0, (p - q).clamp(min=0), 0.0)
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
