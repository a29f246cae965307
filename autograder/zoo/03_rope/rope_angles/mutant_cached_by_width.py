"""Keeps the first table of every width and base and cuts it.

message: an earlier call
"""
_tables = {}


def rope_angles(L, d_head, base=10_000.0):
    if (d_head, base) not in _tables:
        frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
        positions = torch.arange(L, dtype=torch.float64)
        _tables[d_head, base] = positions[:, None] * frequencies
    return _tables[d_head, base][:L]
