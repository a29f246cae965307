"""Follows the most probable prefix.

message: most probable prefix only
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    total = 0.0
    for x, y_star in data:
        prefix = tuple(x)
        for target in y_star:
            row = row_of(prefix, V)
            total = total - logps[row, target]
            prefix += (int(logps[row].argmax()),)
    return total / len(data)
