"""Halves it.

message: half of the gradient
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = theta.log_softmax(0)
    pi = log_pi.exp()
    r = R - beta * (log_pi - ref)
    return (mu1 * (r - mu2 @ r) + mu2 * (r - mu1 @ r)) / 2
