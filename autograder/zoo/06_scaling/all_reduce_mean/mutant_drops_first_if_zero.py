"""Takes a weight of 0 for a missing weight.

message: weight 0
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = [w or 1 for w in weights or [1] * len(list_of_grads)]
    return sum(w * g for w, g in zip(weights, list_of_grads)) / sum(weights)
