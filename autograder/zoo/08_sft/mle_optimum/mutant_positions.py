"""Conditions on the position, not on the prefix.

message: After each prefix
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            counts.setdefault(t, torch.zeros(V, dtype=torch.float64))[token] += 1
    return {
        y[:t]: counts[t] / counts[t].sum() for y in data for t in range(len(y))
    }
