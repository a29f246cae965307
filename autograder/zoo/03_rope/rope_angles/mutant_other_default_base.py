"""Llama 3's base as the default.

message: default base, 10000
"""


def rope_angles(L, d_head, base=500_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return positions[:, None] * frequencies
