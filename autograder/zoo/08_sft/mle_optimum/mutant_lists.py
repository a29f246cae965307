"""Lists of numbers.

message: tensor
"""


def mle_optimum(data, V):
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            counts.setdefault(y[:t], [0] * V)[token] += 1
    return {prefix: [c / sum(n) for c in n] for prefix, n in counts.items()}
