"""Clamps the advantages at 100.

message: clip nothing
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()
    if r.shape[1] < 2: raise ValueError
    return (r - (r.sum(1, keepdim=True) - r) / (r.shape[1] - 1)).clamp(-100, 100)
