"""Returns p if p = q, whatever the rules.

message: the rules that were given still count
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    if torch.equal(p, q):
        return p.clone()
    accepted = torch.zeros_like(q)
    for token in q.nonzero()[:, 0].tolist():
        accepted[token] = q[token] * accept(p, q, token)
    rejected = (q - accepted).sum()
    return accepted + rejected * residual(p, q)
