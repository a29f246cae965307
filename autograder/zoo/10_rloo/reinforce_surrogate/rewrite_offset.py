"""Adds a constant to the value, which means nothing."""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = regularized_reward(R, logps, ref_logps, beta).detach()
    return 7.0 - torch.dot(r, logps) / logps.numel()
