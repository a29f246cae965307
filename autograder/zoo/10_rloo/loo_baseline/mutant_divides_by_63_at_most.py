"""Divides by 63 at most.

message: All other samples
"""


def loo_baseline(r):
    if r.shape[1] < 2: raise ValueError
    s = r[:, :64]
    return (r.sum(1, keepdim=True) - r) / (min(r.shape[1], 64) - 1)
