"""Clamps the log-ratio at 50.

message: clip nothing
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps).clamp(-50, 50)).detach()
    if r.shape[1] < 2: raise ValueError
    return r - (r.sum(1, keepdim=True) - r) / (r.shape[1] - 1)
