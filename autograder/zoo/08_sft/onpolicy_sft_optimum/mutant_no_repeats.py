"""Counts each answer once.

message: dropped repetitions
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    data = sorted(set(data))
    marginals = [Counter(column) for column in zip(*data)]
    return {
        y: math.prod(m[v] / len(data) for m, v in zip(marginals, y))
        for y in itertools.product(*marginals)
    }
