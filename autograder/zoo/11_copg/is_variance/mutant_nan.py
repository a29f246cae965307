"""Divides zero by zero.

message: contributes nothing
"""
def is_variance(pi, mu, f):
    w = pi / mu
    if ((mu == 0) & (pi > 0)).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    return (mu * (w * f) ** 2).sum() - (mu * w * f).sum() ** 2
