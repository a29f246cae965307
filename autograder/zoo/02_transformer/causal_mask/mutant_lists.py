"""Returns lists.

message: bool tensor [T, T]
"""


def causal_mask(T, device=None):
    return [[j <= i for j in range(T)] for i in range(T)]
