"""Draws one prefix instead of summing.

message: prefixes
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    for x, y_star in data:
        prefix = tuple(x)
        for target in y_star:
            row = row_of(prefix, V)
            total = total - logps[row, target]
            probs = logps[row].detach().exp()
            prefix += (int(torch.multinomial(probs, 1, generator=generator)),)
    return total / len(data)
