"""Always the first token.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(p[0] / q[0]))
