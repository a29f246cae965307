"""Newton's method on all rewards but the first."""


def fit_bt(wins, lr, steps):
    counts = wins.to(torch.float64)
    played = counts + counts.T
    rewards = torch.zeros(len(counts), dtype=torch.float64)
    for _ in range(60):
        p = torch.sigmoid(rewards[:, None] - rewards[None, :])
        gradient = (counts - played * p).sum(1)
        curvature = played * p * (1 - p)
        hessian = torch.diag(curvature.sum(1)) - curvature
        step = torch.linalg.solve(hessian[1:, 1:], gradient[1:])
        rewards[1:] += step * min(1.0, 1.0 / float(step.abs().max() + 1e-12))
    return rewards - rewards.mean()
