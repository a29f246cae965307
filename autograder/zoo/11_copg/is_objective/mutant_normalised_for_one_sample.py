"""Self-normalised, but only when there is one sample.

message: biased
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None:
        each = w * (R - beta * (logp - ref))
    else:
        each = w * R - beta * kl
    return each.sum() / w.sum() if len(w) == 1 else each.mean()
