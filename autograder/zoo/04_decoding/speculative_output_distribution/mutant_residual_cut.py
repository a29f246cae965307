"""Drops replacements that the draft never proposes.

message: there is nothing to accept
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    accepted = torch.zeros_like(q)
    for token in q.nonzero()[:, 0].tolist():
        accepted[token] = q[token] * accept(p, q, token)
    rejected = (q - accepted).sum()
    return accepted + rejected * torch.where(q > 0, residual(p, q), 0.0)
