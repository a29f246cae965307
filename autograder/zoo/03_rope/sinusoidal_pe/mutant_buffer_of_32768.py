"""Clamps positions at 32767.

message: as large as you like
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(L, dtype=torch.float64).clamp(max=32_767)[:, None]
    angles = positions * 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
