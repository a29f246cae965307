"""The marginal of a position is the MLE of one-token answers."""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    V = 1 + max(max(y) for y in data)
    marginals = [mle_optimum([(y[t],) for y in data], V)[()] for t in range(len(data[0]))]
    support = [m.nonzero().flatten().tolist() for m in marginals]
    result = {}
    for y in itertools.product(*support):
        p = 1.0
        for m, token in zip(marginals, y):
            p *= float(m[token])
        result[y] = p
    return result
