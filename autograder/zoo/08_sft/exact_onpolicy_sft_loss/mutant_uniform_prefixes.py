"""All prefixes weigh the same.

message: the same weight
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    total = 0.0
    for x, y_star in data:
        for t, target in enumerate(y_star):
            for p in itertools.product(range(V), repeat=t):
                total = total - logps[row_of((*x, *p), V), target] / V**t
    return total / len(data)
