"""Reads the table by columns.

message: read the table by columns
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64).T
    played = wins + wins.T
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + lr * (wins - expected).sum(1) / wins.sum()
    return rewards - rewards.mean()
