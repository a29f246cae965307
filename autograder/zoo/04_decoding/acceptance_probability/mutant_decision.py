"""p > q as a decision.

message: not a decision
"""


def acceptance_probability(p, q, token):
    return float(p[token] >= q[token])
