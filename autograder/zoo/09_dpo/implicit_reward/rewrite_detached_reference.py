"""The reference detached."""


def implicit_reward(logp, ref_logp, beta):
    return (logp - ref_logp.detach()).mul(beta)
