"""Adds up with einsum."""
def importance_weights(logp, mu_logp):
    return torch.einsum("bt->b", logp - mu_logp).exp()
