"""Takes ref for log-probabilities.

message: take their logarithm
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()

    r = R - beta * (logp - ref)
    return pi * (r - pi @ r)
