"""Weighs each sampler by pi / mu.

message: Samplers may have zeros
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = theta.log_softmax(0)
    pi = log_pi.exp()
    r = R - beta * (log_pi - ref)
    w1, w2 = pi / mu1, pi / mu2
    c = mu1 * w1 / w1 * (r - mu2 @ r) + mu2 * w2 / w2 * (r - mu1 @ r)
    return c - pi * c.sum()
