"""Reference minus policy.

message: policy minus reference
"""


def implicit_reward(logp, ref_logp, beta):
    return beta * (ref_logp - logp)
