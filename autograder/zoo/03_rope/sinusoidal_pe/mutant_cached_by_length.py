"""Keeps one table for every length, whatever its width.

message: an earlier call
"""
_tables = {}


def sinusoidal_pe(L, d):
    if L not in _tables:
        positions = torch.arange(L, dtype=torch.float64)[:, None]
        angles = positions * 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
        _tables[L] = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
    return _tables[L]
