"""relu, and uniform for p = q."""


def residual_distribution(p, q):
    excess = torch.relu(p - q)
    if not excess.any():
        return torch.full_like(p, 1 / p.numel())
    return torch.nn.functional.normalize(excess, p=1, dim=0, eps=0.0)
