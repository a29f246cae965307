"""Takes the first token 1 for the end.

message: no id is special
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        if 1 in y:
            y = y[: y.index(1) + 1]
        for t, token in enumerate(y):
            empty = torch.zeros(V, dtype=torch.float64)
            counts.setdefault(y[:t], empty)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
