"""Drops the axis of a single position.

message: one row of zeros
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    exponents = -torch.arange(0, d_head, 2, dtype=torch.float64) / d_head
    return (positions[:, None] * base**exponents).squeeze(0)
