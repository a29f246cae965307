"""A tiny number in the denominator.

message: as they are
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(p[token] / (q[token] + 1e-30)))
