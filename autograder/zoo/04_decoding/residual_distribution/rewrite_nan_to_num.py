"""Replaces nan by a uniform distribution."""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    return (excess / excess.sum()).nan_to_num(1 / len(p))
