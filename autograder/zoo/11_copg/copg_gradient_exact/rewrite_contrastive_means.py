"""Equation 13: four expectations, by autograd."""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    theta = theta.detach().clone().requires_grad_()
    log_pi = torch.log_softmax(theta, dim=0)
    h = log_pi - ref
    half = R - beta / 2 * h
    value = (mu1 * (half - (mu2 * half).sum()) * h).sum()
    value = value + (mu2 * (half - (mu1 * half).sum()) * h).sum()
    value.backward()
    return theta.grad
