"""As many entries as the largest id needs.

message: shape
"""


def mle_optimum(data, V):
    size = max(max(y) for y in data) + 1
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            empty = torch.zeros(size, dtype=torch.float64)
            counts.setdefault(y[:t], empty)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
