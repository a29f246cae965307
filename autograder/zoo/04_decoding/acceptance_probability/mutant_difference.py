"""1 - (q - p)+.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(1 - q[token] + p[token]))
