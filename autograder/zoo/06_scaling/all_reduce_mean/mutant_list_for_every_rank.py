"""Returns the mean once per rank.

message: tensor was expected
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = weights or [1] * len(list_of_grads)
    mean = sum(w * g for w, g in zip(weights, list_of_grads)) / sum(weights)
    return [mean] * len(list_of_grads)
