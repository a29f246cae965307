"""Switches on gradients of its argument and fills nothing else.

message: pi(y) R_beta(y)
"""


def policy_gradient_exact(theta, R, ref, beta):
    leaf = theta.clone().requires_grad_()
    logp = leaf.log_softmax(0)
    (logp.exp().detach() * (R - beta * (logp - ref.log()))).sum().backward()
    return leaf.grad
