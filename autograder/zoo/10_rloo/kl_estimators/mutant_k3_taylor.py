"""The second-order expansion of k3, which is k2.

message: k3 is exp(-delta)
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d, d**2 / 2, d**2 / 2
