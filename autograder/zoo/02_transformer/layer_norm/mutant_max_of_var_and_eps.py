"""Takes the larger of variance and eps.

message: over the last dimension
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.clamp(var, min=eps).sqrt() * gamma + beta
