"""Averages two hundred samples.

message: prefixes
"""


def exact_onpolicy_sft_loss(tables, data):
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    probs = logps.detach().exp()
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    for x, y_star in data:
        for _ in range(200):
            prefix = tuple(x)
            for target in y_star:
                row = row_of(prefix, V)
                total = total - logps[row, target] / 200
                token = torch.multinomial(probs[row], 1, generator=generator)
                prefix += (int(token),)
    return total / len(data)
