"""Moves the winner of a vote and never the loser: right for two items.

message: the rewards behind them
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        surprise = wins * torch.sigmoid(rewards[None, :] - rewards[:, None])
        rewards = rewards + lr * surprise.sum(1) / wins.sum()
    return rewards - rewards.mean()
