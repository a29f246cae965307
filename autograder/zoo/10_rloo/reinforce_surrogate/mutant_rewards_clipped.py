"""Clips large coefficients.

message: do not clip the rewards
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach().clamp(-10, 10)
    return -(r * logps).mean()
