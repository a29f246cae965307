"""Clamps R_beta to +-10.

message: Clip neither
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    log_pi = theta.log_softmax(0)
    r = (R - beta * (log_pi - ref)).clamp(-10.0, 10.0)
    return mu1 * (r - mu2 @ r) + mu2 * (r - mu1 @ r)
