"""The definition with two loops."""
def discounted_returns(rewards, mask, gamma):
    B, T = rewards.shape
    if T > 100:
        G = rewards[:, -1] * 0
        out = []
        for t in range(T - 1, -1, -1):
            G = torch.where(mask[:, t] > 0, rewards[:, t], 0.0 * G) + gamma * G
            out.insert(0, G)
        return torch.stack(out, dim=1)
    clean = torch.where(mask > 0, rewards, torch.zeros_like(rewards))
    columns = []
    for t in range(T):
        columns.append(sum(gamma ** (k - t) * clean[:, k] for k in range(t, T)))
    return torch.stack(columns, 1) * (mask > 0)
