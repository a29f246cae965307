"""Forgets beta.

message: forgot beta
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - (logps - ref_logps)).detach()
    return r - loo_baseline(r)
