"""Cuts weights off at 1000.

message: not clipped
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = [1.0] * len(list_of_grads) if weights is None else [min(w, 1000) for w in weights]
    return sum(w * g for w, g in zip(weights, list_of_grads)) / sum(weights)
