"""Uses k3 instead of k1.

message: R_beta = R - beta
"""


def regularized_reward(R, logp, ref_logp, beta):
    d = logp - ref_logp
    return R - beta * (torch.expm1(-d) + d)
