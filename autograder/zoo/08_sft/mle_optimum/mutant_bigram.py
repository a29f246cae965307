"""Conditions on the last token only.

message: keys
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            empty = torch.zeros(V, dtype=torch.float64)
            counts.setdefault(y[max(0, t - 1) : t], empty)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
