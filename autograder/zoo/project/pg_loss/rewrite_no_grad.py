"""Computes the coefficient without a graph; loops over completions."""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    B, K = logps.shape
    with torch.no_grad():
        r = rewards - beta * logps + beta * ref_logps
        if isinstance(baseline, str):
            if K < 2:
                raise ValueError("leave one out of one")
            b = torch.stack([torch.cat([r[:, :k], r[:, k + 1 :]], 1).mean(1) for k in range(K)], 1)
        elif baseline is None:
            b = torch.zeros_like(r)
        else:
            b = torch.zeros_like(r) + baseline
        coefficient = r - b
    return -torch.einsum("bk,bk->", coefficient, logps) / (B * K)
