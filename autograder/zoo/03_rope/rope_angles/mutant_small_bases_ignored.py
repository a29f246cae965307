"""Takes a small base for a slip and uses the default.

message: base is ignored
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    exponents = -torch.arange(0, d_head, 2, dtype=torch.float64) / d_head
    base = base if base >= 20 else 10_000.0
    return positions[:, None] * base**exponents
