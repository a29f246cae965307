"""Clamps rewards at 50.

message: no clamp
"""


def policy_gradient_exact(theta, R, ref, beta):
    lp = theta.detach().log_softmax(-1); p = lp.exp()
    r = R.clamp(-50, 50) - beta * (lp - ref.log())
    return p * (r - (p * r).sum())
