"""k1 as ln ref - ln pi.

message: sign of k1
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return -d, d**2 / 2, torch.expm1(-d) + d
