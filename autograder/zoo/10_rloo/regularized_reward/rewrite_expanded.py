"""Two separate terms."""


def regularized_reward(R, logp, ref_logp, beta):
    return R - beta * logp + beta * ref_logp
