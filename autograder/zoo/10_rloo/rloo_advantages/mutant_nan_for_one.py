"""nan for a single sample.

message: raise ValueError
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()

    K = r.shape[1]
    return r - (r.sum(1, keepdim=True) - r) / (K - 1)
