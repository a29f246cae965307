"""Keeps the two most frequent tokens of each position.

message: position by position
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    marginals = [dict(Counter(column).most_common(2)) for column in zip(*data)]
    return {
        y: math.prod(m[v] / sum(m.values()) for m, v in zip(marginals, y))
        for y in itertools.product(*marginals)
    }
