"""The log of it.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return min(0.0, float((p[token] / q[token]).log()))
