"""The log-ratio upside down everywhere.

message: ratio inverted
"""


def kl_estimators(logp, ref_logp):
    d = ref_logp - logp
    return d, d**2 / 2, torch.expm1(-d) + d
