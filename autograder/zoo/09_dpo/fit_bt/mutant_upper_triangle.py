"""Uses the votes above the diagonal only.

message: expected wins equal to observed wins
"""


def fit_bt(wins, lr, steps):
    wins = wins.to(torch.float64)
    rewards = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        surprise = wins.triu(1) * torch.sigmoid(rewards[None, :] - rewards[:, None])
        rewards = rewards + lr * (surprise.sum(1) - surprise.sum(0)) / wins.sum()
    return rewards - rewards.mean()
