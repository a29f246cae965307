"""Softmax of the positive part.

message: positive part of p - q
"""


def residual_distribution(p, q):
    return (p - q).clamp(min=0).softmax(0)
