"""arange(0, d_head, 2) multiplied by 2.

message: already runs over 2i
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = base ** (-2 * torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return positions[:, None] * frequencies
