"""Divides probabilities, which underflow for long completions.

message: underflows to 0
"""


def kl_estimators(logp, ref_logp):
    delta = logp - ref_logp
    return delta, delta**2 / 2, ref_logp.exp() / logp.exp() - 1 + delta
