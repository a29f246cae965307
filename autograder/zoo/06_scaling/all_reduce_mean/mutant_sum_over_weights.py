"""Divides the plain sum by the weights.

message: summed the gradients
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = weights or [1.0] * len(list_of_grads)
    return sum(list_of_grads) / sum(weights)
