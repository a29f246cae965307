"""Returns log-probabilities.

message: 1/4 for each
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    marginals = [Counter(column) for column in zip(*data)]
    return {
        y: sum(math.log(m[v] / len(data)) for m, v in zip(marginals, y))
        for y in itertools.product(*marginals)
    }
