"""Skips every token 1.

message: ignored the EOS
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            if token != 1:
                empty = torch.zeros(V, dtype=torch.float64)
                counts.setdefault(y[:t], empty)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
