"""From torch's std, corrected."""


def layer_norm(x, gamma, beta, eps=1e-5):
    d = x.size(-1)
    mean = x.sum(-1, keepdim=True) / d
    var = x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (var + eps) ** 0.5 * gamma + beta
