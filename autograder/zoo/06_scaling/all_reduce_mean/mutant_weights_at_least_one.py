"""Clips the weights at 1.

message: sum of w_r g_r
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = [1.0] * len(list_of_grads) if weights is None else [max(w, 1) for w in weights]
    return sum(w * g for w, g in zip(weights, list_of_grads)) / sum(weights)
