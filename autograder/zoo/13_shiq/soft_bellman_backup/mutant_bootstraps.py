"""Bootstraps after the end.

message: bootstrap after the end
"""
def soft_bellman_backup(r, next_state, done, ref_logps, beta, gamma=1.0):
    q, v = torch.zeros_like(r), torch.zeros(len(r), dtype=r.dtype)
    for s in reversed(range(len(r))):
        q[s] = r[s] + gamma * v[next_state[s]]
        v[s] = soft_value(q[s], ref_logps[s], beta)
    return q
