"""In single precision.

message: dtype
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            counts.setdefault(y[:t], torch.zeros(V))[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
