"""nan for p = q.

message: without nan
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    return excess / excess.sum()
