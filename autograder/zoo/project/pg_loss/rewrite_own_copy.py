"""The coefficient is worked out in place on a copy, in float64."""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    coefficient = logps.detach().double().clone()
    coefficient.sub_(ref_logps.detach()).mul_(-beta).add_(rewards.detach())
    if isinstance(baseline, str):
        K = coefficient.size(1)
        if K == 1:
            raise ValueError("K = 1")
        others = coefficient.sum(1, keepdim=True) - coefficient
        coefficient -= others / (K - 1)
    elif baseline is not None:
        coefficient -= torch.as_tensor(baseline, dtype=torch.float64).detach()
    return -(coefficient * logps).mean().to(logps.dtype)
