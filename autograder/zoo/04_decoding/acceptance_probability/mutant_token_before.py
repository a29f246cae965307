"""Looks at the token before.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(p[token - 1] / q[token - 1]))
