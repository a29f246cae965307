"""Clamps the norm from below at 1e-5.

message: at least 1e-7
"""


def newton_schulz5(G, steps=5):
    if G.ndim != 2:
        raise ValueError
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G / G.norm().clamp(min=1e-5)
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X
