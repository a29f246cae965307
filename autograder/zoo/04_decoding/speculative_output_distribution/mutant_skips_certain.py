"""Skips tokens that are accepted for sure.

message: exactly the law p
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    accepted = torch.zeros_like(q)
    for token in q.nonzero()[:, 0].tolist():
        chance = accept(p, q, token)
        accepted[token] = q[token] * chance if chance < 1 else 0.0
    rejected = (q - accepted).sum()
    return accepted + rejected * residual(p, q)
