"""torch.sub with alpha."""


def implicit_reward(logp, ref_logp, beta):
    return beta * torch.sub(logp, ref_logp, alpha=1)
