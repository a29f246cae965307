"""K / (K - 1) times the distance from the group mean."""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    r = (rewards - beta * (logps - ref_logps)).detach()
    if baseline is None:
        a = r
    elif baseline is not None and not isinstance(baseline, str):
        a = r - (baseline.detach() if hasattr(baseline, "detach") else baseline)
    else:
        K = r.shape[1]
        if K == 1:
            raise ValueError("K")
        a = K / (K - 1) * (r - r.mean(1, keepdim=True))
    return (-a * logps).mean()
