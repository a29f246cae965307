"""Returns a flat vector.

message: shape
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = weights or [1] * len(list_of_grads)
    flat = torch.stack([g.flatten() for g in list_of_grads])
    w = torch.tensor(weights, dtype=flat.dtype)
    return w @ flat / w.sum()
