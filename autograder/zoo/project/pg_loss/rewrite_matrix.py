"""Leave-one-out by a matrix."""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    K = logps.shape[1]
    r = rewards - beta * (logps.detach() - ref_logps)
    if isinstance(baseline, str):
        if K < 2:
            raise ValueError
        weights = (1 - torch.eye(K, dtype=r.dtype)) / (K - 1)
        r = r - r @ weights
    elif isinstance(baseline, torch.Tensor):
        r = r - baseline.detach()
    elif baseline is not None:
        r = r - baseline
    return -(r.detach() * logps).flatten().mean()
