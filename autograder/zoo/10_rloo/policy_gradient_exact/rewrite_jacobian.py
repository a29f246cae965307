"""Multiplies with the Jacobian of the softmax."""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.detach().log_softmax(0)
    pi = logp.exp()

    jacobian = torch.diag(pi) - torch.outer(pi, pi)
    return jacobian @ (R - beta * (logp - ref.log()))
