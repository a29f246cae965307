"""A running mean, one rank after the other."""


def all_reduce_mean(list_of_grads, weights=None):
    mean, seen = torch.zeros_like(list_of_grads[0]), 0.0
    for rank, grad in enumerate(list_of_grads):
        weight = 1.0 if weights is None else float(weights[rank])
        if weight > 0:
            seen += weight
            mean = mean + (grad - mean) * (weight / seen)
    return mean
