"""rloo over copg.

message: wrong way round
"""
def copg_equals_rloo_factor(theta, y, y2, R, ref, beta):
    theta = theta.detach().clone().requires_grad_()
    log_pi = theta.log_softmax(0)
    r = (R - beta * (log_pi - ref)).detach()
    gap = (log_pi[y] - ref[y]) - (log_pi[y2] - ref[y2])
    value = (R[y] - R[y2] - beta / 2 * gap) * gap
    g = torch.autograd.grad(value, theta, retain_graph=True)[0]
    k = torch.autograd.grad(((r[y] - r[y2]) * log_pi[y] + (r[y2] - r[y]) * log_pi[y2]) / 2, theta)[0]
    return g, k, float((g @ k) / (g @ g))
