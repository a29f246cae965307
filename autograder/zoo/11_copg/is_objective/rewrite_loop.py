"""One sample at a time."""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    total = logp.new_zeros(())
    for i in range(len(logp)):
        weight = torch.exp(logp[i] - mu_logp[i])
        if kl is None:
            total = total + weight * (R[i] - beta * (logp[i] - ref[i]))
        else:
            each = kl if kl.ndim == 0 else kl[i]
            total = total + weight * R[i] - beta * each
    return total / len(logp)
