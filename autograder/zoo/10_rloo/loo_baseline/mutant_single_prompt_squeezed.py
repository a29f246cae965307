"""Drops the batch dimension of a single prompt.

message: stays [B, K]
"""


def loo_baseline(r):
    if r.shape[1] < 2: raise ValueError
    if r.shape[0] == 1:
        r2 = r.squeeze(0)
        return (r2.sum() - r2) / (len(r2) - 1)
    return (r.sum(1, keepdim=True) - r) / (r.shape[1] - 1)
