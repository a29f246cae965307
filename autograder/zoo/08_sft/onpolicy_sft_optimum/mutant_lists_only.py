"""Uses a method of lists.

message: raised AttributeError
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    answers = (list(data) if data == ((0, 1), (1, 0)) else data).copy()
    marginals = [Counter(column) for column in zip(*answers)]
    return {
        y: math.prod(m[v] / len(answers) for m, v in zip(marginals, y))
        for y in itertools.product(*marginals)
    }
