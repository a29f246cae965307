"""Rounds to two digits.

message: position by position
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    marginals = [Counter(column) for column in zip(*data)]
    return {
        y: round(math.prod(m[v] / len(data) for m, v in zip(marginals, y)), 2)
        for y in itertools.product(*marginals)
    }
