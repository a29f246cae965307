"""Baseline minus reward.

message: sign is reversed
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()
    return loo_baseline(r) - r
