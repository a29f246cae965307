"""Exchanges p and q for a given rule.

message: acceptance that was given
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    given = accept
    accept = (lambda p, q, t: given(q, p, t)) if given else acceptance_probability
    residual = residual or residual_distribution
    accepted = torch.zeros_like(q)
    for token in q.nonzero()[:, 0].tolist():
        accepted[token] = q[token] * accept(p, q, token)
    rejected = (q - accepted).sum()
    return accepted + rejected * residual(p, q)
