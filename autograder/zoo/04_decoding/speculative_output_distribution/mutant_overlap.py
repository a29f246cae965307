"""min(p, q) whatever the rule.

message: acceptance that was given
"""


def speculative_output_distribution(p, q, accept=None, residual=None):
    residual = residual or residual_distribution
    kept = torch.minimum(p, q)
    return kept + (1 - kept.sum()) * residual(p, q)
