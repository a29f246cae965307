"""Positions above 256 are rounded.

message: far angles are off
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L).to(torch.bfloat16).double()
    frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return positions[:, None] * frequencies
