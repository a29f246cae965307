"""torch's std plus eps.

message: torch.std divides by d - 1
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / (x.std(-1, keepdim=True) + eps) * gamma + beta
