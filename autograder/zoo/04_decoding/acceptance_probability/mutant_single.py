"""In float32.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(p[token].float() / q[token].float()))
