"""A slice that is empty for d = 2.

message: there is one pair
"""


def sinusoidal_pe(L, d):
    table = torch.zeros(L, d, dtype=torch.float64)
    if d > 2:
        frequencies = 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
        angles = torch.arange(L, dtype=torch.float64)[:, None] * frequencies
        table[:, 0::2], table[:, 1::2] = angles.sin(), angles.cos()
    return table
