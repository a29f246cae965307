"""A Counter of prefix and token."""


def mle_optimum(data, V):
    pairs = Counter((y[:t], y[t]) for y in data for t in range(len(y)))
    totals = Counter()
    for (prefix, _), n in pairs.items():
        totals[prefix] += n
    return {
        prefix: torch.tensor(
            [pairs[prefix, v] / totals[prefix] for v in range(V)], dtype=torch.float64
        )
        for prefix in totals
    }
