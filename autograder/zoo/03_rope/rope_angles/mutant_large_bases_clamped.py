"""Clamps the base at one million.

message: any number above 1
"""


def rope_angles(L, d_head, base=10_000.0):
    base = min(base, 1_000_000.0)
    frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return torch.arange(L, dtype=torch.float64)[:, None] * frequencies
