"""Centred by the mean under pi.

message: mean under pi
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = theta.log_softmax(0)
    pi = log_pi.exp()
    r = R - beta * (log_pi - ref)
    c = (mu1 + mu2) * (r - pi @ r)
    return c - pi * c.sum()
