"""A running mean that divides by the weights so far, which may be 0.

message: weight 0
"""


def all_reduce_mean(list_of_grads, weights=None):
    weights = [1.0] * len(list_of_grads) if weights is None else weights
    mean, seen = list_of_grads[0], weights[0]
    for w, g in zip(weights[1:], list_of_grads[1:]):
        mean = (mean * seen + w * g) / (torch.tensor(float(seen + w), dtype=g.dtype))
        seen = seen + w
    return mean
