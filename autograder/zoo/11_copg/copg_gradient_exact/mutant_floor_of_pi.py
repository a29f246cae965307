"""Adds 1e-12 to the probabilities before the logarithm.

message: take ln pi from
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = (theta.softmax(0) + 1e-12).log()
    r = R - beta * (log_pi - ref)
    return mu1 * (r - mu2 @ r) + mu2 * (r - mu1 @ r)
