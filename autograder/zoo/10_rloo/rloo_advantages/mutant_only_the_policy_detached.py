"""Detaches the policy, not the reference or the rewards.

message: Detach the result
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = rewards - beta * (logps.detach() - ref_logps)
    return r - loo_baseline(r)
