"""Asks accept about tokens with q = 0.

message: with q > 0
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    accepted = torch.zeros_like(q)
    for token in range(len(q)):
        chance = accept(p, q, token)
        accepted[token] = q[token] * chance if q[token] > 0 else 0.0
    rejected = (q - accepted).sum()
    return accepted + rejected * residual(p, q)
