"""One layer of prefixes at a time, as tensors."""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    total = tables.new_zeros(())
    for x, y_star in data:
        rows = torch.tensor([row_of(x, V)])
        law = torch.ones(1, dtype=tables.dtype)
        for t, target in enumerate(y_star):
            total = total - law @ logps[rows, target]
            if t + 1 < len(y_star):
                law = (law[:, None] * logps[rows].detach().exp()).flatten()
                rows = (rows[:, None] * V + torch.arange(V) + 1).flatten()
    return total / len(data)
