"""Searches a fine grid between -3 and 5.

message: weighs each reward
"""


def optimal_baseline_scalar(probs, A, g):
    grid = torch.linspace(-3, 5, 8001, dtype=torch.float64)
    x = (A - grid[:, None]) * g
    variance = (probs * x**2).sum(1) - (probs * x).sum(1) ** 2
    return grid[variance.argmin()]
