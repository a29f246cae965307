"""Divides by the number of ranks that count, times the mean of all weights.

message: weight 0
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = weights or [1] * len(list_of_grads)
    alive = [w for w in weights if w > 0]
    return sum(w * g for w, g in zip(weights, list_of_grads)) / (len(alive) * sum(weights) / len(weights))
