"""Weighs every pair alike.

message: weighed every pair alike
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    rates = torch.nan_to_num(wins / (wins + wins.T))
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        played = rates + rates.T
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + lr * (rates - expected).sum(1) / rates.sum()
    return rewards - rewards.mean()
