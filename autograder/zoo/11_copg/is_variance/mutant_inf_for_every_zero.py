"""Any zero of mu gives inf.

message: contributes nothing
"""
def is_variance(pi, mu, f):
    if (mu == 0).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    w = pi / mu
    return (mu * (w * f) ** 2).sum() - (mu * w * f).sum() ** 2
