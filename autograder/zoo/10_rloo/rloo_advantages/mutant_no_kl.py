"""Forgets the penalty.

message: left the KL penalty out
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    return (rewards - loo_baseline(rewards)).detach()
