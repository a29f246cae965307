"""Caps the normalised entries at 10.

message: Any number of leading dimensions
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    var, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
    unit = (x - mean) / (var + eps).sqrt()
    return unit.clamp(-10, 10) * gamma + beta
