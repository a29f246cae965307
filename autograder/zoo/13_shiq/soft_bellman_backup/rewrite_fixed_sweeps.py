"""As many sweeps as states."""
def soft_bellman_backup(r, next_state, done, ref_logps, beta, gamma=1.0):
    keep = (~done).to(r.dtype)
    v = torch.zeros(r.shape[0], dtype=r.dtype)
    for _ in range(r.shape[0] + 1):
        q = r + gamma * keep * v[next_state]
        v = beta * torch.logsumexp(q / beta + ref_logps, dim=1)
    return q
