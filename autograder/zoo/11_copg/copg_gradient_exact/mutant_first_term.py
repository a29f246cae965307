"""The samples of mu1 only.

message: second term
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = theta.log_softmax(0)
    pi = log_pi.exp()
    r = R - beta * (log_pi - ref)
    c = mu1 * (r - mu2 @ r)
    return c - pi * c.sum()
