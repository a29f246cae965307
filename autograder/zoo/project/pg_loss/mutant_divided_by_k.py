"""Divides the others' sum by K.

message: divided by K
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
    if isinstance(baseline, str):
        b = b * (r.shape[1] - 1) / r.shape[1]
    return -((r - b) * logps).mean()
