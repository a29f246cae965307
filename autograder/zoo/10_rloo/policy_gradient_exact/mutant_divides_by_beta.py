"""Through the distance to pi*, which needs beta > 0.

message: beta = 0
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()

    target = (ref.log() + R / beta).log_softmax(0)
    r = beta * (target - logp)
    return pi * (r - pi @ r)
