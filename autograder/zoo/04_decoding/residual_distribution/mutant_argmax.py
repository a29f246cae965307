"""The largest excess only.

message: positive part of p - q
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    out = torch.zeros_like(p)
    out[excess.argmax()] = 1
    return out
