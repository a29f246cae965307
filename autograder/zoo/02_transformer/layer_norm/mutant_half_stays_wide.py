"""Computes half precision in float32 and forgets to cast back.

message: cast back
"""


def layer_norm(x, gamma, beta, eps=1e-5):
    if x.dtype in (torch.float16, torch.bfloat16):
        x, gamma, beta = x.float(), gamma.float(), beta.float()
    var, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
    return (x - mean) / (var + eps).sqrt() * gamma + beta
