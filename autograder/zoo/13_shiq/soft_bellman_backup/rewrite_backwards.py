"""State by state from the last."""
def soft_bellman_backup(r, next_state, done, ref_logps, beta, gamma=1.0):
    S, A = r.shape
    q, v = torch.zeros_like(r), torch.zeros(S, dtype=r.dtype)
    for s in range(S - 1, -1, -1):
        for a in range(A):
            q[s, a] = r[s, a] if done[s, a] else r[s, a] + gamma * v[next_state[s, a]]
        v[s] = beta * torch.logsumexp(ref_logps[s] + q[s] / beta, 0)
    return q
