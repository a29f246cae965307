"""Uses the logits as log-probabilities, shifted rewards aside, and multiplies by pi.

message: grad L
"""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    r = R - beta * (theta - ref)
    pi = theta.softmax(0)
    return pi * (mu1 * (r - mu2 @ r) + mu2 * (r - mu1 @ r))
