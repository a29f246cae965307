"""No minimum.

message: take the minimum
"""


def acceptance_probability(p, q, token):
    return float(p[token] / q[token])
