"""Alternates in narrow tables only.

message: all sines before
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(L, dtype=torch.float64)
    angles = positions[:, None] * 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    if d >= 128:
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
