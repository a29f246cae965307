"""Differentiates a surrogate."""


def rloo_gradient(theta, y, R, ref, beta):
    leaf = theta.clone().requires_grad_()
    logps = leaf.log_softmax(0)[y][None]
    advantages = rloo_advantages(R[y][None], logps, ref.log()[y][None], beta)
    loss = (advantages * logps).mean()
    return torch.autograd.grad(loss, leaf)[0]
