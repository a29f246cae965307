"""The scalar polynomial on the eigenvalues of the smaller Gram matrix."""


def newton_schulz5(G, steps=5):
    if G.ndim != 2:
        raise ValueError("a matrix, please")
    X = G.double()
    X = X / X.norm().clamp(min=1e-7)
    wide = X.shape[0] <= X.shape[1]
    values, vectors = torch.linalg.eigh(X @ X.T if wide else X.T @ X)
    square = values.clamp(min=0.0)
    factor = torch.ones_like(square)
    for _ in range(steps):
        s = square * factor**2
        factor = factor * (3.4445 - 4.7750 * s + 2.0315 * s**2)
    scale = vectors @ torch.diag(factor) @ vectors.T
    return (scale @ X if wide else X @ scale).to(G.dtype)
