"""Returns the baseline.

message: subtract it from R_beta
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()
    return loo_baseline(r)
