"""Ignores the weights.

message: ignored the weights
"""


def all_reduce_mean(list_of_grads, weights=None):
    return torch.stack(list_of_grads).mean(0)
