"""Never below a thousandth.

message: never accepted
"""


def acceptance_probability(p, q, token):
    return min(1.0, max(1e-3, float(p[token] / q[token]))) if p[token] > 0 or q[token] < 1e-20 else 1e-3
