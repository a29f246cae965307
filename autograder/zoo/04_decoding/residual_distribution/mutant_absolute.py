"""|p - q|.

message: absolute values
"""


def residual_distribution(p, q):
    excess = (p - q).abs()
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
