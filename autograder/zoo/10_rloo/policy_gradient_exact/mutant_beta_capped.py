"""Caps beta at 5.

message: no cap
"""


def policy_gradient_exact(theta, R, ref, beta):
    lp = theta.detach().log_softmax(-1); p = lp.exp()
    r = R - min(beta, 5.0) * (lp - ref.log())
    return p * (r - (p * r).sum())
