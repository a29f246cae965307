"""Ignores the reference.

message: reference is ignored
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    r = R - beta * theta.log_softmax(0)
    return mu1 * (r - mu2 @ r) + mu2 * (r - mu1 @ r)
