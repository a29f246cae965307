"""Sums without dividing.

message: without dividing
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = weights or [1.0] * len(list_of_grads)
    return sum(w * g for w, g in zip(weights, list_of_grads))
