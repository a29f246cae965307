"""Forgets the one half.

message: one half
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d, d**2, torch.expm1(-d) + d
