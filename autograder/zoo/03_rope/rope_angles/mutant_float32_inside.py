"""Rounds the frequencies to float32 and converts at the end.

message: far angles are off
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_head, 2) / d_head)
    return positions[:, None] * frequencies.double()
