"""Changes q in place.

message: changed one of its arguments
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    replacement, total = residual(p, q), 0.0
    chances = [accept(p, q, t) if q[t] > 0 else 0.0 for t in range(len(q))]
    for token, chance in enumerate(chances):
        total += float(q[token]) * (1 - chance)
        q[token] *= chance
    return q + total * replacement
