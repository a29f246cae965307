"""p.

message: fresh draw from p
"""


def residual_distribution(p, q):
    return p.clone()
