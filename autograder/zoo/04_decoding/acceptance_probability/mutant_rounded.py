"""Rounded to three digits.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return round(min(1.0, float(p[token] / q[token])), 3)
