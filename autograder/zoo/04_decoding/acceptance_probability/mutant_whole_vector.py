"""All tokens at once.

message: min(1, p(x) / q(x))
"""


def acceptance_probability(p, q, token):
    return (p / q).clamp(max=1)
