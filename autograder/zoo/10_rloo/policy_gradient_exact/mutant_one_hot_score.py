"""The score without - pi.

message: left out - pi
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()

    return pi * (R - beta * (logp - ref.log()))
