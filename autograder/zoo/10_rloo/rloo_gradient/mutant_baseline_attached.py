"""Differentiates the baseline too.

message: biased
"""


def rloo_gradient(theta, y, R, ref, beta):
    leaf = theta.clone().requires_grad_()
    logp = leaf.log_softmax(0)
    r = (R - beta * (logp - ref.log()))[y]
    K = len(y)
    loss = ((r - (r.sum() - r) / (K - 1)) * logp[y]).mean()
    return torch.autograd.grad(loss, leaf)[0]
