"""The samples of mu2 only.

message: first term
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = theta.log_softmax(0)
    pi = log_pi.exp()
    r = R - beta * (log_pi - ref)
    c = mu2 * (r - mu1 @ r)
    return c - pi * c.sum()
