"""A small penalty on the rewards, to be safe.

message: returns the rewards behind them
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    played = wins + wins.T
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + lr * ((wins - expected).sum(1) / wins.sum() - 1e-4 * rewards)
    return rewards - rewards.mean()
