"""Sample by sample."""


def kl_estimators(logp, ref_logp):
    columns = []
    for a, b in zip(logp.flatten(), ref_logp.flatten(), strict=True):
        d = a - b
        columns.append(torch.stack([d, d * d / 2, torch.exp(-d) - 1 + d]))
    k = torch.stack(columns).T
    return tuple(row.reshape(logp.shape) for row in k)
