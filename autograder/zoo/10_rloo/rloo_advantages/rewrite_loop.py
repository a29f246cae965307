"""Sample by sample."""


def rloo_advantages(rewards, logps, ref_logps, beta):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    r = (rewards - beta * (logps - ref_logps)).detach()

    out = torch.empty_like(r)
    B, K = r.shape
    for b in range(B):
        for i in range(K):
            out[b, i] = r[b, i] - sum(r[b, j] for j in range(K) if j != i) / (K - 1)
    return out
