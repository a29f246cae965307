"""Through Python floats."""


def residual_distribution(p, q):
    excess = [max(a - b, 0.0) for a, b in zip(p.tolist(), q.tolist())]
    total = sum(excess)
    if total == 0:
        excess, total = p.tolist(), float(p.sum())
    return torch.tensor([e / total for e in excess], dtype=torch.float64)
