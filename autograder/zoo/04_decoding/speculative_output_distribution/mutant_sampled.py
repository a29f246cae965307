"""Estimates by sampling.

message: exactly the law p
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    out = torch.zeros_like(p)
    for _ in range(300):
        token = int(torch.multinomial(q, 1))
        if torch.rand(()) >= accept(p, q, token):
            token = int(torch.multinomial(residual(p, q), 1))
        out[token] += 1 / 300
    return out
