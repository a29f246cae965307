"""Returns float64.

message: Keep float32
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    x = x.double()
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / (var + eps).sqrt() * gamma + beta
