"""Zero where p = q.

message: always accepted
"""


def acceptance_probability(p, q, token):
    r = float(p[token] / q[token])
    return r if r < 1 else 1.0 if r > 1 else 0.0
