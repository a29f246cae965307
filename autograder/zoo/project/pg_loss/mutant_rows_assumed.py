"""Takes a tensor of one dimension for a baseline per prompt.

message: places in a row
"""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    r = (rewards - beta * (logps - ref_logps)).detach()
    if baseline is None:
        b = 0.0
    elif isinstance(baseline, str):
        if logps.shape[1] < 2:
            raise ValueError("at least two completions")
        b = (r.sum(1, keepdim=True) - r) / (r.shape[1] - 1)
    else:
        b = baseline.detach() if isinstance(baseline, torch.Tensor) else baseline
        if isinstance(b, torch.Tensor) and b.ndim == 1:
            b = b[:, None]
    return -((r - b) * logps).mean()
