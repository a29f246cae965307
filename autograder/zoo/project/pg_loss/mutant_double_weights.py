"""Leave-one-out by a matrix of float64, which a float32 model does not multiply.

message: raised RuntimeError
"""

def pg_loss(logps, ref_logps, rewards, beta, baseline=None):
    r = (rewards - beta * (logps - ref_logps)).detach()
    if baseline is None:
        b = 0.0
    elif isinstance(baseline, str):
        if logps.shape[1] < 2:
            raise ValueError("at least two completions")
        K = r.shape[1]
        b = r @ (1 - torch.eye(K, dtype=torch.float64)) / (K - 1)
    else:
        b = baseline.detach() if isinstance(baseline, torch.Tensor) else baseline
    return -((r - b) * logps).mean()
