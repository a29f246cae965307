"""Win rates in place of rewards.

message: win rates
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    rate = wins.sum(1) / (wins + wins.T).sum(1)
    return rate - rate.mean()
