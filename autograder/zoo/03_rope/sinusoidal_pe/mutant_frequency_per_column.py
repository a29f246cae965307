"""The column's number in place of the pair's: the odd columns get a frequency of their own.

message: share one frequency
"""


def sinusoidal_pe(L, d):
    columns = torch.arange(d, dtype=torch.float64)
    angles = torch.arange(L, dtype=torch.float64)[:, None] * 10_000.0 ** (-columns / d)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos())
