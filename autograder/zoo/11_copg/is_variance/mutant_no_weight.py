"""The variance of f under mu.

message: weight is missing
"""
def is_variance(pi, mu, f):
    if ((mu == 0) & (pi > 0)).any():
        return torch.tensor(float("inf"), dtype=pi.dtype)
    return (mu * f * f).sum() - (mu * f).sum() ** 2
