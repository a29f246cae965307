"""All tuples in one tensor; the scores' common part drops out."""


def grpo_bias(probs, A, G):
    V = len(probs)
    y = torch.cartesian_prod(*[torch.arange(V)] * G)
    a = group_advantages(A[y], "std", 0, 0.0)
    weight = probs[y].prod(1) / G
    mean = torch.zeros(V, dtype=torch.float64)
    mean.index_add_(0, y.flatten(), (weight[:, None] * a).flatten())
    true = probs * A - probs * (probs @ A)
    return mean / true, (mean * true).sum() / (mean.square().sum() * true.square().sum()).sqrt()
