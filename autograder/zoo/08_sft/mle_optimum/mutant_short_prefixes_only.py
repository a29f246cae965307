"""Reads the first four tokens only.

message: however long
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y[:4]):
            empty = torch.zeros(V, dtype=torch.float64)
            counts.setdefault(y[:t], empty)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
