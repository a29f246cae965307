"""Adds uniform rows after whole sequences.

message: keys
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            empty = torch.zeros(V, dtype=torch.float64)
            counts.setdefault(y[:t], empty)[token] += 1
    optimum = {prefix: n / n.sum() for prefix, n in counts.items()}
    for y in data:
        optimum.setdefault(y, torch.full((V,), 1 / V, dtype=torch.float64))
    return optimum
