"""Leaves one out across prompts.

message: within each row
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()
    return r - loo_baseline(r.T).T
