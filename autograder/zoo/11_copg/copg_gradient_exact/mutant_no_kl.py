"""Rewards without KL.

message: KL term is missing
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    r = R
    return mu1 * (r - mu2 @ r) + mu2 * (r - mu1 @ r)
