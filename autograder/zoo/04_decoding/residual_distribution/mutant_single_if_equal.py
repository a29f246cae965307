"""float32 for p = q.

message: float64 tensor of the same shape
"""


def residual_distribution(p, q):
    excess = (p - q).clamp(min=0)
    total = excess.sum()
    return excess / total if total > 0 else torch.eye(len(p))[0]
