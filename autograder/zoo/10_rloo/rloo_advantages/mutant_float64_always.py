"""Converts to float64.

message: rewards' dtype
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()
    return (r - loo_baseline(r)).double()
