"""Regularises only the baseline.

message: must be regularised too
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()
    return rewards - loo_baseline(r)
