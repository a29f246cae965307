"""Gives nearly constant tokens up.

message: nearly constant
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    v = c.square().mean(-1, keepdim=True)
    return torch.where(v < 1e-3, torch.zeros_like(c), c / (v + eps).sqrt()) * gamma + beta
