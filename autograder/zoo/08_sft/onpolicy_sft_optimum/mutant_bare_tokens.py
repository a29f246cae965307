"""Keys of one-token answers are the tokens.

message: keys
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    marginals = [Counter(column) for column in zip(*data)]
    result = {
        y: math.prod(m[v] / len(data) for m, v in zip(marginals, y))
        for y in itertools.product(*marginals)
    }
    if len(marginals) == 1:
        return {y[0]: p for y, p in result.items()}
    return result
