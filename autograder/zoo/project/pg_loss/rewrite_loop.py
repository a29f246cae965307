"""Prompt by prompt and completion by completion."""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    B, K = logps.shape
    if isinstance(baseline, str) and K < 2:
        raise ValueError("leave-one-out needs at least two completions")
    r = (rewards - beta * (logps - ref_logps)).detach()
    fixed = torch.zeros_like(r) if baseline is None or isinstance(baseline, str) else torch.zeros_like(r) + baseline
    fixed = fixed.detach()
    total = logps.new_zeros(())
    for i in range(B):
        for k in range(K):
            b = fixed[i, k]
            if isinstance(baseline, str):
                b = sum(r[i, j] for j in range(K) if j != k) / (K - 1)
            total = total - (r[i, k] - b) * logps[i, k]
    return total / (B * K)
