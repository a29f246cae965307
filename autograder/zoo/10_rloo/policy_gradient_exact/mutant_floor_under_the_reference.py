"""Puts a floor of 1e-8 under the reference.

message: no epsilon
"""


def policy_gradient_exact(theta, R, ref, beta):
    lp = theta.detach().log_softmax(-1); p = lp.exp()
    r = R - beta * (lp - ref.clamp(min=1e-8).log())
    return p * (r - (p * r).sum())
