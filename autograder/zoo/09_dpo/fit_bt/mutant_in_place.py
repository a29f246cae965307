"""Turns the caller's table into rates.

message: changed one of its arguments in place
"""


def fit_bt(wins, lr, steps):
    wins.fill_diagonal_(1)
    table = wins.to(torch.float64)
    table = table - torch.eye(len(table), dtype=torch.float64)
    played = table + table.T
    rewards = torch.zeros(len(table), dtype=torch.float64)
    for _ in range(steps):
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + lr * (table - expected).sum(1) / table.sum()
    return rewards - rewards.mean()
