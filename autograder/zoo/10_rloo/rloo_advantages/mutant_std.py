"""Divides by the standard deviation.

message: standard deviation
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    r = (rewards - beta * (logps - ref_logps)).detach()
    return (r - r.mean(1, keepdim=True)) / r.std(1, keepdim=True)
