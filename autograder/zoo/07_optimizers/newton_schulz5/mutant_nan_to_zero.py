"""Divides without a floor and replaces nan by 0.

message: blown up
"""


def newton_schulz5(G, steps=5):
    if G.ndim != 2:
        raise ValueError
    a, b, c = 3.4445, -4.7750, 2.0315
    X = torch.nan_to_num(G / G.norm())
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X
