"""Drafts drawn from p.

message: exactly the law p
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    accepted = torch.zeros_like(q)
    for token in q.nonzero()[:, 0].tolist():
        accepted[token] = p[token] * accept(p, q, token)
    rejected = 1 - accepted.sum()
    return accepted + rejected * residual(p, q)
