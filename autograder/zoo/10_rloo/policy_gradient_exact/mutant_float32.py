"""Computes in float32.

message: pi(y) R_beta(y)
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.float().log_softmax(0)
    pi = logp.exp()
    r = R.float() - beta * (logp - ref.float().log())
    return (pi * (r - pi @ r)).double()
