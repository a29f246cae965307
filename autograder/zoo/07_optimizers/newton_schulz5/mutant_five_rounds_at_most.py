"""Never does more than five rounds.

message: the number of rounds
"""


def newton_schulz5(G, steps=5):
    if G.ndim != 2:
        raise ValueError
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G / G.norm().clamp(min=1e-7)
    for _ in range(min(steps, 5)):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X
