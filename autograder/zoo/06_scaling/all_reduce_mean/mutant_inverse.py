"""Divides each gradient by its weight.

message: by their weights
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = weights or [1.0] * len(list_of_grads)
    return sum(g / w for w, g in zip(weights, list_of_grads)) / len(list_of_grads)
