"""torch.var_mean without the correction."""


def layer_norm(x, gamma, beta, eps=1e-5):
    var, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return gamma * (x - mean) * torch.rsqrt(var + eps) + beta
