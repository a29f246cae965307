"""Computes half precision in float32 and casts back."""


def layer_norm(x, gamma, beta, eps=1e-5):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    var, mean = torch.var_mean(wide, dim=-1, keepdim=True, correction=0)
    return ((wide - mean) * (var + eps).rsqrt()).to(x.dtype) * gamma + beta
