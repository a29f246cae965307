"""0 times nan where q = 0.

message: 0/0
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    accepted = torch.zeros_like(q)
    for token in range(len(q)):
        accepted[token] = q[token] * float(p[token] / q[token] >= 1 or p[token] / q[token]) if accept is acceptance_probability else q[token] * (accept(p, q, token) if q[token] > 0 else 0)
    rejected = (q - accepted).sum()
    return accepted + rejected * residual(p, q)
