"""Divides by the sum of the weights.

message: sum of the weights
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None:
        return (w * (R - beta * (logp - ref))).sum() / w.sum()
    return (w * R).sum() / w.sum() - (beta * kl).mean() if isinstance(kl, torch.Tensor) else (w * R).sum() / w.sum() - beta * kl
