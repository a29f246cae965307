"""The frequencies as exp(-2i ln(10000) / d), written into slices."""
import math


def sinusoidal_pe(L, d):
    table = torch.empty(L, d, dtype=torch.float64)
    steps = torch.arange(0, d, 2, dtype=torch.float64)
    frequencies = torch.exp(steps * (-math.log(10_000.0) / d))
    angles = torch.outer(torch.arange(L, dtype=torch.float64), frequencies)
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.cos(angles)
    return table
