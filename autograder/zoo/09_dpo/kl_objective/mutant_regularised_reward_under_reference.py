"""Averages R_beta under the reference.

message: The regularised reward is averaged under the policy
"""


def kl_objective(probs, ref_probs, rewards, beta):
    return (ref_probs * (rewards - beta * (probs / ref_probs).log())).sum(-1)
