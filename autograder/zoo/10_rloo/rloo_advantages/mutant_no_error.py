"""No error for a single sample.

message: raise ValueError
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()

    K = r.shape[1]
    return (r - r.mean(1, keepdim=True)) * K / max(K - 1, 1)
