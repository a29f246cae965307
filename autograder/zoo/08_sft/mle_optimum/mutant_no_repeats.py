"""Counts different sequences once.

message: dropped repetitions
"""


def mle_optimum(data, V):
    counts = {}
    for y in set(data):
        for t, token in enumerate(y):
            empty = torch.zeros(V, dtype=torch.float64)
            counts.setdefault(y[:t], empty)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
