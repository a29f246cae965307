"""Normalises the weights first."""


def all_reduce_mean(list_of_grads, weights=None):
    n = len(list_of_grads)
    total = float(n if weights is None else sum(weights))
    share = [1 / total] * n if weights is None else [w / total for w in weights]
    out = torch.zeros_like(list_of_grads[0])
    for part, grad in zip(share, list_of_grads):
        out.add_(grad, alpha=part)
    return out
