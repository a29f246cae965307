"""Counts each pair once.

message: dropped repetitions
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    data = sorted(set(data))
    logps = tables.log_softmax(-1)
    probs = logps.detach().exp()
    total = torch.zeros((), dtype=tables.dtype)
    for x, y_star in data:
        law = {tuple(x): 1.0}
        for target in y_star:
            longer = {}
            for prefix, weight in law.items():
                row = row_of(prefix, V)
                total = total - weight * logps[row, target]
                for token in range(V):
                    longer[(*prefix, token)] = weight * probs[row, token]
            law = longer
    return total / len(data)
