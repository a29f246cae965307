"""One number at a time with the math module."""
import math


def sinusoidal_pe(L, d):
    rows = []
    for p in range(L):
        row = []
        for i in range(d // 2):
            angle = p / 10000 ** (2 * i / d)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)
