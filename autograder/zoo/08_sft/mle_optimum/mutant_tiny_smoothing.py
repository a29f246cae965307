"""Adds 1e-6 to every count.

message: float64
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            empty = torch.full((V,), 1e-6, dtype=torch.float64)
            counts.setdefault(y[:t], empty)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
