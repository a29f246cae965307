"""The first row is position 1.

message: start at 0
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(1, L + 1, dtype=torch.float64)
    frequencies = 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angles = positions[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
