"""One action at a time."""
def is_variance(pi, mu, f):
    second = torch.zeros((), dtype=pi.dtype)
    for p, m, value in zip(pi, mu, f):
        if m > 0:
            second = second + (p * value) ** 2 / m
        elif p > 0:
            return torch.full_like(second, float("inf"))
    return second - (pi * f).sum() ** 2
