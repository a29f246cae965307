"""torch's default variance.

message: divided by d - 1
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = x.var(-1, keepdim=True)
    return (x - mean) / (var + eps).sqrt() * gamma + beta
