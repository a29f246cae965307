"""Treats the reference as a constant.

message: in both log-probabilities
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp.detach()
    return d, d**2 / 2, torch.expm1(-d) + d
