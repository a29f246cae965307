"""Clamps the log-ratio, for stability.

message: nothing clamped
"""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    r = (rewards - beta * (logps - ref_logps).clamp(-20, 20)).detach()
    if baseline is None:
        b = 0.0
    elif isinstance(baseline, str):
        if logps.shape[1] < 2:
            raise ValueError("at least two completions")
        b = (r.sum(1, keepdim=True) - r) / (r.shape[1] - 1)
    else:
        b = baseline.detach() if isinstance(baseline, torch.Tensor) else baseline
    return -((r - b) * logps).mean()
