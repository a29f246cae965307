"""Minus in front of the linear term.

message: linear term
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d, d**2 / 2, torch.exp(-d) - 1 - d
