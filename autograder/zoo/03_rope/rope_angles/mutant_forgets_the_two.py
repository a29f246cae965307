"""Exponent i/d_head.

message: yours is half of that
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = base ** (-torch.arange(d_head // 2, dtype=torch.float64) / d_head)
    return positions[:, None] * frequencies
