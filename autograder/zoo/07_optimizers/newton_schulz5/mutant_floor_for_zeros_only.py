"""Divides by the norm as it is, unless it is 0.

message: blown up
"""


def newton_schulz5(G, steps=5):
    if G.ndim != 2:
        raise ValueError
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.T if G.shape[0] > G.shape[1] else G
    n = X.norm()
    X = X / (n if n > 0 else 1)
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if G.shape[0] > G.shape[1] else X
