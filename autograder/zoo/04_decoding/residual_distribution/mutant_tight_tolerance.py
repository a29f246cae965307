"""Takes sums below 1e-8 for zero.

message: only p = q is special
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    total = excess.sum()
    return excess / total if total > 1e-7 else p.clone()
