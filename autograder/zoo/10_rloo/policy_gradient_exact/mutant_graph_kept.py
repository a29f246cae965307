"""Forgets to detach the result.

message: without graph
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    weights = logp.exp() * (R - beta * (logp - ref.log()))
    return weights - logp.exp() * weights.sum()
