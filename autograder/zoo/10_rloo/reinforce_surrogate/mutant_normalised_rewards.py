"""Standardises the coefficients.

message: -R_beta(y_i) / B
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -((r - r.mean()) / (r.std() + 1e-8) * logps).mean()
