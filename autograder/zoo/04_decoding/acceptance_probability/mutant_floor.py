"""Bounds q below.

message: as they are
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(p[token] / q[token].clamp(min=1e-12)))
