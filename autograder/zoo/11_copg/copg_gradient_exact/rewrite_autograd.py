"""Autograd of the double sum."""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    theta = theta.detach().clone().requires_grad_()
    h = theta.log_softmax(0) - ref
    gap = h[:, None] - h[None, :]
    value = (R[:, None] - R[None, :] - beta / 2 * gap) * gap
    total = (mu1[:, None] * mu2[None, :] * value).sum()
    return torch.autograd.grad(total, theta)[0]
