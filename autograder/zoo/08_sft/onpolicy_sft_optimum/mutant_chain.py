"""Bigram chain: right for two teachers only in the first step.

message: marginal
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    optimum = mle_optimum(list(data), 1 + max(itertools.chain(*data)))
    result = {}
    for y in itertools.product(*[sorted(set(column)) for column in zip(*data)]):
        p = 1.0
        for t, token in enumerate(y):
            row = optimum.get(y[:t])
            p *= 0.0 if row is None else float(row[token])
        if p > 0:
            result[y] = p
    return result
