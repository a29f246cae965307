"""Takes the gradient of the total loss: the step is far too long.

message: r_1 - r_2 = ln
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    played = wins + wins.T
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + lr * (wins - expected).sum(1)
    return rewards - rewards.mean()
