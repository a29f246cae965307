"""(K - 1) / K instead of K / (K - 1).

message: minus the mean of R_beta
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    r = (rewards - beta * (logps - ref_logps)).detach()

    K = r.shape[1]
    return (r - r.mean(1, keepdim=True)) * (K - 1) / K
