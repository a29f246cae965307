"""Clips the exponent at twenty.

message: do not clip the ratio
"""


def kl_estimators(logp, ref_logp):
    delta = logp - ref_logp
    return delta, delta**2 / 2, torch.exp(-delta.clamp(-20, 20)) - 1 + delta
