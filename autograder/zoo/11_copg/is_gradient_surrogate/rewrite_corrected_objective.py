"""Differentiates w R_beta and corrects its baseline of beta."""
def is_gradient_surrogate(logp, mu_logp, ref, R, beta, baseline=0.0):
    w = torch.exp(logp - mu_logp)
    return (w * (R - beta * (logp - ref) - baseline) + beta * w).mean()
