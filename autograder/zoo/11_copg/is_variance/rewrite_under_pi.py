"""E_pi[w f^2], which is the same."""
def is_variance(pi, mu, f):
    w = torch.where(pi > 0, pi / mu, torch.zeros_like(pi))
    return (pi * w * f * f).sum() - (pi * f).sum().pow(2)
