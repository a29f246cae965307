"""Forgets the -1.

message: forgot the -1
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d, d**2 / 2, torch.exp(-d) + d
