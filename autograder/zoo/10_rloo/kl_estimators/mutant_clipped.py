"""Clips the log-ratio for stability.

message: k1 is ln pi
"""


def kl_estimators(logp, ref_logp):
    d = (logp - ref_logp).clamp(-0.35, 0.35)
    return d, d**2 / 2, torch.expm1(-d) + d
