"""Exponentials without subtracting the maximum.

message: finite
"""


def rloo_gradient(theta, y, R, ref, beta):
    weights = theta.exp()
    pi = weights / weights.sum()
    r = (R - beta * (pi / ref).log())[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    K = len(y)
    return (r - (r.sum() - r) / (K - 1)) @ scores / K
