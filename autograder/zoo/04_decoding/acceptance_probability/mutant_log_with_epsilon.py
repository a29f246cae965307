"""Through logarithms with a small number.

message: as they are
"""


def acceptance_probability(p, q, token):
    return min(1.0, float(((p[token] + 1e-12).log() - (q[token] + 1e-12).log()).exp()))
