"""The weights as a tensor of torch's default dtype, normalised first."""


def all_reduce_mean(list_of_grads, weights=None):
    w = torch.ones(len(list_of_grads)) if weights is None else torch.tensor(weights)
    w = w / w.sum()
    return sum(x * g for x, g in zip(w, list_of_grads))
