"""A 0-d tensor."""


def acceptance_probability(p, q, token):
    return (p[token] / q[token]).clamp(max=1.0)
