"""Ignores `steps`.

message: returns the rewards behind them
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    played = wins + wins.T
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(50):
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + 0.1 * (wins - expected).sum(1) / wins.sum()
    return rewards - rewards.mean()
