"""p / (p + q).

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return float(p[token] / (p[token] + q[token]))
