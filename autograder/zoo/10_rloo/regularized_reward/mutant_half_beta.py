"""The pairwise objective's beta / 2.

message: R_beta = R - beta
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R - beta / 2 * (logp - ref_logp)
