"""beta distributed over the two terms."""


def implicit_reward(logp, ref_logp, beta):
    return beta * logp - beta * ref_logp
