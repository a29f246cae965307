"""Collects the tokens of each prefix, then counts."""


def mle_optimum(data, V):
    after = {}
    for y in data:
        for t in range(len(y)):
            after.setdefault(tuple(y[:t]), []).append(y[t])
    optimum = {}
    for prefix in sorted(after, key=len):
        tokens = torch.tensor(after[prefix])
        optimum[prefix] = F.one_hot(tokens, V).double().mean(0)
    return optimum
