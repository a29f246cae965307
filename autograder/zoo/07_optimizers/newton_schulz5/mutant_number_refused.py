"""Refuses a matrix of one entry.

message: raised
"""


def newton_schulz5(G, steps=5):
    if G.ndim != 2 or min(G.shape) == 0 or G.numel() == 1: raise ValueError
    X = G / G.norm().clamp(min=1e-7)
    for _ in range(steps):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X
