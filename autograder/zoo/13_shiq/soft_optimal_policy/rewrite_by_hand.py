"""Shifted by the maximum, normalised by hand."""
def soft_optimal_policy(q, ref_logps, beta):
    scores = q / beta + ref_logps
    weights = torch.exp(scores - scores.amax(dim=-1, keepdim=True))
    return weights / weights.sum(dim=-1, keepdim=True)
