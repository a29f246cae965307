"""Differentiates the coefficient of a surrogate too.

message: pi(y) R_beta(y)
"""


def policy_gradient_exact(theta, R, ref, beta):
    leaf = theta.clone().requires_grad_()
    logp = leaf.log_softmax(0)
    r = R - beta * (logp - ref.log())
    (logp.exp().detach() * r * logp).sum().backward()
    return leaf.grad
