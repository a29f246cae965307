"""The baseline averages bare rewards.

message: not the bare rewards
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()
    return r - loo_baseline(rewards)
