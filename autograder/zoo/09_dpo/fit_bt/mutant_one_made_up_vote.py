"""Adds one vote each way to every pair, to be safe.

message: no vote made up
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64) + 1
    wins.fill_diagonal_(0)
    played = wins + wins.T
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + lr * (wins - expected).sum(1) / wins.sum()
    return rewards - rewards.mean()
