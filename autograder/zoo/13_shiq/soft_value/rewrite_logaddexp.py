"""Adds the actions one by one."""
def soft_value(q, ref_logps, beta):
    x = ref_logps + q / beta
    total = x[..., 0]
    for a in range(1, x.shape[-1]):
        if torch.isinf(total).all() and torch.isinf(x[..., a]).all():
            continue
        total = torch.logsumexp(torch.stack([total, x[..., a]], -1), -1)
    return beta * total
