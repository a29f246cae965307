"""Refuses a single completion, whatever the baseline.

message: raised ValueError
"""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    r = (rewards - beta * (logps - ref_logps)).detach()
    if logps.shape[1] < 2:
        raise ValueError("at least two completions")
    if baseline is None:
        b = 0.0
    elif isinstance(baseline, str):
        b = (r.sum(1, keepdim=True) - r) / (r.shape[1] - 1)
    else:
        b = baseline.detach() if isinstance(baseline, torch.Tensor) else baseline
    return -((r - b) * logps).mean()
