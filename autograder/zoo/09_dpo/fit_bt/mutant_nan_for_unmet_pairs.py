"""Divides by the number of meetings, also where it is 0.

message: no 0/0
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    played = wins + wins.T + torch.eye(len(wins), dtype=torch.float64)
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        excess = played * (wins / played - torch.sigmoid(rewards[:, None] - rewards[None, :]))
        excess.fill_diagonal_(0)
        rewards = rewards + lr * excess.sum(1) / wins.sum()
    rates = wins / (wins + wins.T)
    off = ~torch.eye(len(wins), dtype=torch.bool)
    return rewards - rewards.mean() + 0 * rates[off].sum()
