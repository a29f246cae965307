"""beta on the reward.

message: not the reward
"""


def regularized_reward(R, logp, ref_logp, beta):
    return beta * R - (logp - ref_logp)
