"""Believes the slide: no 1/K, and the factor is 1.

message: 1/K
"""
def copg_equals_rloo_factor(theta, y, y2, R, ref, beta):
    theta = theta.detach().clone().requires_grad_()
    log_pi = theta.log_softmax(0)
    r = (R - beta * (log_pi - ref)).detach()
    gap = (log_pi[y] - ref[y]) - (log_pi[y2] - ref[y2])
    value = (R[y] - R[y2] - beta / 2 * gap) * gap
    g = torch.autograd.grad(value, theta, retain_graph=True)[0]
    k = g.clone()
    return g, k, 1.0
