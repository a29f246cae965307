"""Averages over the samples.

message: averaged over the samples
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d.mean(), (d**2 / 2).mean(), (torch.expm1(-d) + d).mean()
