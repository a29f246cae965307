"""The exponent is rounded down to a whole number.

message: base^(-2i/d_head)
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = base ** (-(torch.arange(0, d_head, 2) // d_head)).double()
    return positions[:, None] * frequencies
