"""Softmax of p - q.

message: softmax
"""


def residual_distribution(p, q):
    return (p - q).softmax(0)
