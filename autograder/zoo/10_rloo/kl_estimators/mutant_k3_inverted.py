"""k3 for samples from the reference.

message: ratio inverted
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d, d**2 / 2, torch.expm1(d) - d
