"""Drops dimensions of size one.

message: dimension of size 1
"""


def kl_estimators(logp, ref_logp):
    delta = (logp - ref_logp).squeeze()
    return delta, delta**2 / 2, torch.exp(-delta) - 1 + delta
