"""Cosines in the even columns.

message: swapped
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angles = positions[:, None] * frequencies
    return torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(-2)
