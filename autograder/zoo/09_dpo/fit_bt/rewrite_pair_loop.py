"""Plain gradient descent, one pair at a time."""


def fit_bt(wins, lr, steps):
    n = len(wins)
    table = wins.tolist()
    total = sum(map(sum, table))
    rewards = [0.0] * n
    for _ in range(steps):
        slope = [0.0] * n
        for i in range(n):
            for j in range(i):
                met = table[i][j] + table[j][i]
                if met:
                    p = 1 / (1 + math.exp(rewards[j] - rewards[i]))
                    slope[i] += table[i][j] - met * p
                    slope[j] -= table[i][j] - met * p
        rewards = [r + lr * s / total for r, s in zip(rewards, slope)]
    mean = sum(rewards) / n
    return torch.tensor([r - mean for r in rewards], dtype=torch.float64)
