"""Autograd on the mean loss, first reward pinned at 0 through the gauge."""


def fit_bt(wins, lr, steps):
    counts = wins.to(torch.float64)
    rewards = torch.zeros(len(counts), dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        losses = F.softplus(rewards[None, :] - rewards[:, None])
        loss = (counts * losses).sum() / counts.sum()
        (gradient,) = torch.autograd.grad(loss, rewards)
        with torch.no_grad():
            rewards -= lr * gradient
    return (rewards - rewards[0]).detach()
