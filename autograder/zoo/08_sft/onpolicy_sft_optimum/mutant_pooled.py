"""One marginal for all positions.

message: pooled the positions
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    pooled = Counter(itertools.chain(*data))
    size = sum(pooled.values())
    T = len(data[0])
    return {
        y: math.prod(pooled[v] / size for v in y)
        for y in itertools.product(pooled, repeat=T)
    }
