"""Right values, no gradient.

message: No gradient reaches
"""


def implicit_reward(logp, ref_logp, beta):
    return beta * (logp.detach() - ref_logp)
