"""The first row is position 1.

message: start at 0
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(1, L + 1, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return positions[:, None] * frequencies
