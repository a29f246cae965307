"""Adds into the first gradient.

message: in place
"""


def all_reduce_mean(list_of_grads, weights=None):
    if weights is None:
        weights = [1.0] * len(list_of_grads)
    total = list_of_grads[0].mul_(weights[0])
    for w, g in zip(weights[1:], list_of_grads[1:]):
        total += w * g
    return total / sum(weights)
