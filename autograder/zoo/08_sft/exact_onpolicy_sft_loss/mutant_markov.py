"""Weighs a prefix by its last token only.

message: probability under the model
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    total = 0.0
    for x, y_star in data:
        for t, target in enumerate(y_star):
            for p in itertools.product(range(V), repeat=t):
                weight = 1.0
                if t > 0:
                    last = logps[row_of((*x, *p[:-1]), V), p[-1]].item()
                    weight = math.exp(last) / V ** (t - 1)
                total = total - weight * logps[row_of((*x, *p), V), target]
    return total / len(data)
