"""Takes the logarithm of an underflowed softmax.

message: practically certain
"""


def policy_gradient_exact(theta, R, ref, beta):
    pi = theta.softmax(0)
    r = R - beta * (pi.log() - ref.log())
    return pi * (r - pi @ r)
