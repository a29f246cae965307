"""Recursion with a memo, in plain Python."""
def soft_bellman_backup(r, next_state, done, ref_logps, beta, gamma=1.0):
    memo = {}

    def q_of(s, a):
        if done[s, a]:
            return float(r[s, a])
        return float(r[s, a]) + gamma * value(int(next_state[s, a]))

    def value(s):
        if s not in memo:
            row = torch.tensor([q_of(s, a) for a in range(r.shape[1])], dtype=torch.float64)
            memo[s] = float(soft_value(row, ref_logps[s], beta))
        return memo[s]

    return torch.tensor([[q_of(s, a) for a in range(r.shape[1])] for s in range(len(r))], dtype=torch.float64)
