"""Leaves out tokens that are drafted less than once in a million.

message: only q = 0
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    kept = [accept(p, q, token) if q[token] > 1e-6 else 0.0 for token in range(len(p))]
    kept = q * torch.tensor(kept, dtype=torch.float64)
    return kept + (q - kept).sum() * residual(p, q)
