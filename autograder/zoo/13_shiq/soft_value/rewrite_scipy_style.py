"""The logarithm of a mean, scaled."""
def soft_value(q, ref_logps, beta):
    x = (q + beta * ref_logps) / beta
    return torch.logsumexp(x, dim=q.dim() - 1).mul(beta)
