"""Written for two ranks.

message: sum of w_r g_r
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = weights or [1] * len(list_of_grads)
    a, b = list_of_grads[0], list_of_grads[-1]
    return (weights[0] * a + weights[-1] * b) / (weights[0] + weights[-1])
