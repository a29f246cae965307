"""R_{beta/2}.

message: R_{beta/2}
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    beta = beta / 2
    log_pi = theta.log_softmax(0)
    pi = log_pi.exp()
    r = R - beta * (log_pi - ref)
    c = mu1 * (r - mu2 @ r) + mu2 * (r - mu1 @ r)
    return c - pi * c.sum()
