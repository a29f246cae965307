"""Weighs a prefix by the product of probabilities after the prompt only.

message: probability under the model
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    total = 0.0
    for x, y_star in data:
        first = logps[row_of(x, V)].detach().exp()
        for t, target in enumerate(y_star):
            for p in itertools.product(range(V), repeat=t):
                weight = math.prod(float(first[token]) for token in p)
                total = total - weight * logps[row_of((*x, *p), V), target]
    return total / len(data)
