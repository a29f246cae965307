"""Returns the normalised matrix.

message: polynomial
"""


def newton_schulz5(G, steps=5):
    if G.ndim != 2:
        raise ValueError("not a matrix")
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.T if G.shape[0] > G.shape[1] else G
    X = X / X.norm().clamp(min=1e-7)
    return X.T if G.shape[0] > G.shape[1] else X
