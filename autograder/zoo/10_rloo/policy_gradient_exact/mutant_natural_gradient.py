"""Forgets the factor pi of the softmax.

message: pi(y) R_beta(y)
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()

    r = R - beta * (logp - ref.log())
    return r - pi @ r
