"""Takes the prefix law from the rows without the prompt.

message: probability under the model
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    probs = logps.detach().exp()
    total = 0.0
    for x, y_star in data:
        for t, target in enumerate(y_star):
            for p in itertools.product(range(V), repeat=t):
                weight = math.prod(
                    float(probs[row_of(p[:s], V), p[s]]) for s in range(t)
                )
                total = total - weight * logps[row_of((*x, *p), V), target]
    return total / len(data)
