"""q over p.

message: upside down
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(q[token] / p[token])) if p[token] > 0 else 1.0
