"""Weights, but divides by the number of ranks.

message: divided by the number of ranks
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = weights or [1.0] * len(list_of_grads)
    return sum(w * g for w, g in zip(weights, list_of_grads)) / len(list_of_grads)
