"""The logarithm of the mean probability.

message: logarithm of the mean
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    probs = tables.softmax(-1)
    total = torch.zeros((), dtype=tables.dtype)
    for x, y_star in data:
        law = {tuple(x): 1.0}
        for target in y_star:
            longer, chance = {}, 0.0
            for prefix, weight in law.items():
                row = row_of(prefix, V)
                chance = chance + weight * probs[row, target]
                for token in range(V):
                    longer[(*prefix, token)] = weight * probs[row, token].detach()
            total = total - chance.log()
            law = longer
    return total / len(data)
