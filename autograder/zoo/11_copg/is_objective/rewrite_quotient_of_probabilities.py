"""Divides probabilities."""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = logp.exp() / mu_logp.exp()
    penalty = kl if kl is not None else w * (logp - ref)
    return (w * R - beta * penalty).sum() / logp.numel()
