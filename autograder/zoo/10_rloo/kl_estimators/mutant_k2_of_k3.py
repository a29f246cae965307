"""k2 and k3 exchanged.

message: half the squared
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d, torch.expm1(-d) + d, d**2 / 2
