"""Computes with numpy and comes back."""


def kl_divergence(p, q):
    a, b = p.numpy(), q.numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(a > 0, a * np.log(a / b), 0.0)
    return torch.as_tensor(terms.sum(-1), dtype=p.dtype)
