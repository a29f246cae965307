"""Mean of the squares minus squared mean.

message: loses all digits
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = (x**2).mean(-1, keepdim=True) - mean**2
    return (x - mean) / (var + eps).sqrt() * gamma + beta
