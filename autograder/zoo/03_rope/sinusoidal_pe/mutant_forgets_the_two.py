"""Exponent i/d in place of 2i/d.

message: yours is half of that
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = 10_000.0 ** (-torch.arange(d // 2, dtype=torch.float64) / d)
    angles = positions[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
