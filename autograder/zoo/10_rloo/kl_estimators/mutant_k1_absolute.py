"""Believes that an estimate of a divergence is positive.

message: absolute value
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d.abs(), d**2 / 2, torch.expm1(-d) + d
