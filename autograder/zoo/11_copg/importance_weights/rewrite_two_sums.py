"""Subtracts the two sums."""
def importance_weights(logp, mu_logp):
    return torch.exp(logp.sum(dim=1) - mu_logp.sum(dim=1))
