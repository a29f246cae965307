"""Puts all mass on the most frequent token.

message: frequencies
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            empty = torch.zeros(V, dtype=torch.float64)
            counts.setdefault(y[:t], empty)[token] += 1
    return {
        prefix: F.one_hot(n.argmax(), V).double() for prefix, n in counts.items()
    }
