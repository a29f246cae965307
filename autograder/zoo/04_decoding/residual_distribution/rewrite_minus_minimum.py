"""p - min(p, q)."""


def residual_distribution(p, q):
    excess = p - torch.minimum(p, q)
    total = excess.sum()
    return q.clone() if total == 0 else excess / total
