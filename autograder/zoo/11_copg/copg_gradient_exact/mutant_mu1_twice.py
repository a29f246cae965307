"""Takes mu1 for both.

message: taken to be mu1
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = theta.log_softmax(0)
    pi = log_pi.exp()
    r = R - beta * (log_pi - ref)
    c = 2 * mu1 * (r - mu1 @ r)
    return c - pi * c.sum()
