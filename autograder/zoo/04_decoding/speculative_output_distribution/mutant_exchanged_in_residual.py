"""residual(q, p) for a given rule.

message: replacement that was given
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    accepted = torch.zeros_like(q)
    for token in q.nonzero()[:, 0].tolist():
        accepted[token] = q[token] * accept(p, q, token)
    rejected = (q - accepted).sum()
    return accepted + rejected * (residual(q, p) if residual is not residual_distribution else residual(p, q))
