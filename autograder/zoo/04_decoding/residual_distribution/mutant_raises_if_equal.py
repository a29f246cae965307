"""An error for p = q.

message: raised ValueError
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    if excess.sum() == 0:
        raise ValueError('nothing is left')
    return excess / excess.sum()
