"""No autograd."""
def copg_equals_rloo_factor(theta, y, y2, R, ref, beta):
    log_pi = theta.log_softmax(0)
    r = R - beta * (log_pi - ref)
    g = torch.zeros_like(theta)
    g[y] += r[y] - r[y2]
    g[y2] -= r[y] - r[y2]
    k = g / 2
    return g, k, float(g[y] / k[y])
