"""Calls importance_weights with one token per completion."""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = importance_weights(logp.unsqueeze(-1), mu_logp.unsqueeze(-1))
    reward = w * R
    if kl is None:
        return torch.mean(reward - beta * w * (logp - ref))
    return reward.mean() - beta * torch.mean(kl)
