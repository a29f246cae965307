"""Not normalised.

message: did not normalise
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    return excess if excess.sum() > 0 else p.clone()
