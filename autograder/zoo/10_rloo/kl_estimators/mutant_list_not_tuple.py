"""Returns a list.

message: tuple (k1, k2, k3)
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return [d, d**2 / 2, torch.expm1(-d) + d]
