"""Squares the distance to the mean."""
def is_variance(pi, mu, f):
    if ((mu == 0) & (pi > 0)).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    w = torch.where(mu > 0, pi / mu.clamp(min=1e-300), torch.zeros_like(mu))
    mean = (pi * f).sum()
    return (mu * (w * f - mean) ** 2).sum()
