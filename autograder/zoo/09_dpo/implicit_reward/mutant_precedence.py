"""beta on the policy's term only.

message: reference included
"""


def implicit_reward(logp, ref_logp, beta):
    return beta * logp - ref_logp
