"""Divides by d - 2, so that the slowest pair reaches exactly 1/10000.

message: divided by d - 2
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / max(d - 2, 1))
    angles = positions[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
