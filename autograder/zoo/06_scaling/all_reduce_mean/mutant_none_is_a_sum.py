"""Without weights it sums.

message: returned the sum
"""


def all_reduce_mean(list_of_grads, weights=None):
    if weights is None:
        return sum(list_of_grads)
    return sum(w * g for w, g in zip(weights, list_of_grads)) / sum(weights)
