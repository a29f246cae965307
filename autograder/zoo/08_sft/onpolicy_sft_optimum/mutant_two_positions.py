"""Handles answers of two tokens only.

message: Sequences of every length
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    first = Counter(y[0] for y in data)
    last = Counter(y[-1] for y in data)
    if len(data[0]) == 1:
        return {(a,): n / len(data) for a, n in first.items()}
    middle = [Counter(column) for column in list(zip(*data))[1:-1]][:2]
    marginals = [first, *middle, last]
    return {
        y: math.prod(m[v] / len(data) for m, v in zip(marginals, y))
        for y in itertools.product(*marginals)
    }
