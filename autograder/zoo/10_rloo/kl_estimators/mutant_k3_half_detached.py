"""Detaches the exponential of k3.

message: keep the graph
"""


def kl_estimators(logp, ref_logp):
    d = logp - ref_logp
    return d, d**2 / 2, torch.expm1(-d).detach() + d
