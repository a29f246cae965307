"""The default dtype of torch.

message: float64
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(L)
    frequencies = 10_000.0 ** (-torch.arange(0, d, 2) / d)
    angles = positions[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
