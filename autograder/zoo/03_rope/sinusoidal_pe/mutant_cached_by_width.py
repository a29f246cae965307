"""Keeps the first table of every width and cuts it: later, longer tables come out short.

message: an earlier call
"""
_tables = {}


def sinusoidal_pe(L, d):
    if d not in _tables:
        positions = torch.arange(L, dtype=torch.float64)[:, None]
        angles = positions * 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
        _tables[d] = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
    return _tables[d][:L]
