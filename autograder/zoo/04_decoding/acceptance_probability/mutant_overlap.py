"""The overall acceptance rate.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return float(torch.minimum(p, q).sum())
