"""Leaves the work to torch.

message: layer_norm
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return torch.nn.functional.layer_norm(x, gamma.shape, gamma, beta, eps)
