"""The gradient of a loss.

message: uphill
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()

    r = R - beta * (logp - ref.log())
    return -pi * (r - pi @ r)
