"""Detaches the policy only, so a gradient flows into the reference.

message: no gradient in rewards or reference
"""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    r = rewards.detach() - beta * (logps.detach() - ref_logps)
    if baseline is None:
        b = 0.0
    elif isinstance(baseline, str):
        if logps.shape[1] < 2:
            raise ValueError("at least two completions")
        b = (r.sum(1, keepdim=True) - r) / (r.shape[1] - 1)
    else:
        b = baseline.detach() if isinstance(baseline, torch.Tensor) else baseline
    return -((r - b) * logps).mean()
