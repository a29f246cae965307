"""Returns float64 always.

message: dtype of the gradients
"""


def all_reduce_mean(list_of_grads, weights=None):
    w = torch.ones(len(list_of_grads)) if weights is None else torch.tensor(weights)
    return torch.einsum("r...,r->...", torch.stack(list_of_grads).double(), w.double()) / w.double().sum()
