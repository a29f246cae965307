"""10000 whatever the base.

message: base is ignored
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = 10_000.0 ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return positions[:, None] * frequencies
