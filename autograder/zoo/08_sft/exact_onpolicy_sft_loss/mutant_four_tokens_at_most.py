"""Enumerates four steps and no more.

message: short or long
"""


def exact_onpolicy_sft_loss(tables, data):
    V, logps, total = tables.shape[1], tables.log_softmax(-1), 0.0
    for x, y in data:
        weights = {tuple(x): 1.0}
        for token in y[:4]:
            following = {}
            for prefix, weight in weights.items():
                row = logps[row_of(prefix, V)]
                total = total - weight * row[token]
                shares = row.detach().exp()
                following |= {(*prefix, v): weight * shares[v] for v in range(V)}
            weights = following
    return total / len(data)
