"""Sample by sample, with Python's functions."""


def kl_estimators(logp, ref_logp):
    flat = (logp - ref_logp).flatten().tolist()
    columns = [[d, d * d / 2, math.expm1(-d) + d] for d in flat]
    k = torch.tensor(columns, dtype=logp.dtype).T
    return tuple(row.reshape(logp.shape) for row in k)
