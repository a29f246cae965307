"""Forgets the penalty.

message: forgot the KL penalty
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()
    return pi * (R - pi @ R)
