"""On-policy, whatever the samplers.

message: weighted by pi
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = theta.log_softmax(0)
    pi = log_pi.exp()
    r = R - beta * (log_pi - ref)
    c = 2 * pi * (r - pi @ r)
    return c - pi * c.sum()
