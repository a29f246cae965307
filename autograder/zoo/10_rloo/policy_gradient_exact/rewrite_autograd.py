"""Differentiates J."""


def policy_gradient_exact(theta, R, ref, beta):
    leaf = theta.clone().requires_grad_()
    logp = leaf.log_softmax(0)
    J = (logp.exp() * R).sum() - beta * (logp.exp() * (logp - ref.log())).sum()
    return torch.autograd.grad(J, leaf)[0]
