"""Computes the coefficient under no_grad."""
def is_gradient_surrogate(logp, mu_logp, ref, R, beta, baseline=0.0):
    with torch.no_grad():
        w = torch.exp(logp - mu_logp)
        coefficient = w * (R - beta * (logp - ref) - baseline) / len(logp)
    return torch.dot(coefficient, logp)
