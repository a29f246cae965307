"""The maximum with 1.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return max(1.0, float(p[token] / q[token]))
