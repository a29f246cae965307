"""Laplace smoothing.

message: smoothed the counts
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            ones = torch.ones(V, dtype=torch.float64)
            counts.setdefault(y[:t], ones)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
