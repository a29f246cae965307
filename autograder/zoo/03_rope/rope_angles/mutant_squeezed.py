"""Drops the axis of a single position or a single pair.

message: one pair, turned by p radians
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    exponents = -torch.arange(0, d_head, 2, dtype=torch.float64) / d_head
    return (positions[:, None] * base**exponents).squeeze()
