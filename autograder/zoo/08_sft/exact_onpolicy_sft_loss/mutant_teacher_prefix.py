"""The teacher's prefixes.

message: that is SFT
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    total = 0.0
    for x, y_star in data:
        for t, target in enumerate(y_star):
            total = total - logps[row_of((*x, *y_star[:t]), V), target]
    return total / len(data)
