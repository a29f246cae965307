"""Multiplies by the probability of the sample.

message: one value per sample
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    w = logp.exp()
    return w * d, w * d**2 / 2, w * (torch.expm1(-d) + d)
