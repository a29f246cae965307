"""Forgets the reference: only an entropy bonus is left.

message: pi(y) R_beta(y)
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()

    r = R - beta * logp
    return pi * (r - pi @ r)
