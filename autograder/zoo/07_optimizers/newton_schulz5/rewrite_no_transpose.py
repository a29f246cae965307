"""Never transposes."""


def newton_schulz5(G, steps=5):
    if G.dim() != 2:
        raise ValueError
    X = G.to(torch.float64) if G.dtype == torch.float64 else G.float()
    norm = float(torch.sqrt((X**2).sum()))
    X = X / max(norm, 1e-7)
    for _ in range(steps):
        first = X @ (X.T @ X)
        second = first @ (X.T @ X)
        X = 3.4445 * X - 4.7750 * first + 2.0315 * second
    return X.to(G.dtype)
