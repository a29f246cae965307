"""Frequencies as exponentials."""
import math


def rope_angles(L, d_head, base=10_000.0):
    i = torch.arange(d_head // 2, dtype=torch.float64)
    return torch.outer(torch.arange(L).double(), torch.exp(-2 * i * math.log(base) / d_head))
