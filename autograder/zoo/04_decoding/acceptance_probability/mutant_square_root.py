"""The square root of the ratio.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(p[token] / q[token]) ** 0.5)
