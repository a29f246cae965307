"""Adds 1e-8 to the sum of the weights.

message: scale of the weights
"""


def all_reduce_mean(list_of_grads, weights=None):
    if weights is None: weights = [1.0] * len(list_of_grads)
    return sum(w * g for w, g in zip(weights, list_of_grads)) / (sum(weights) + 1e-8)
