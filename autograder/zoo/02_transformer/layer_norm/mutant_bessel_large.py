"""d - 1 for many features.

message: over the last dimension
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    return c / (x.var(-1, keepdim=True, correction=1 if x.shape[-1] > 8 else 0) + eps).sqrt() * gamma + beta
