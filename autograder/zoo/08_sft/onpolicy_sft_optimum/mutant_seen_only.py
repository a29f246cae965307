"""Only the sequences of the data.

message: nobody wrote
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    marginals = [Counter(column) for column in zip(*data)]
    return {
        y: math.prod(m[v] / len(data) for m, v in zip(marginals, y)) for y in set(data)
    }
