"""Lists impossible sequences with probability 0.

message: keys
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    tokens = sorted(set(itertools.chain(*data)))
    marginals = [Counter(column) for column in zip(*data)]
    return {
        y: math.prod(m[v] / len(data) for m, v in zip(marginals, y))
        for y in itertools.product(tokens, repeat=len(data[0]))
    }
