"""numpy inside, a tensor outside."""
import numpy as np


def sinusoidal_pe(L, d):
    angles = np.arange(L)[:, None] / np.power(10_000.0, np.arange(0, d, 2) / d)
    table = np.zeros((L, d))
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
    return torch.from_numpy(table)
