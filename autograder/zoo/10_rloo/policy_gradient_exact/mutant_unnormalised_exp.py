"""Exponentials without subtracting the maximum.

message: finite
"""


def policy_gradient_exact(theta, R, ref, beta):
    weights = theta.exp()
    pi = weights / weights.sum()
    r = R - beta * (pi / ref).log()
    return pi * (r - pi @ r)
