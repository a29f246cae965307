"""Searches a grid of steps 0.1 between -3 and 5.

message: weighs each reward
"""


def optimal_baseline_scalar(probs, A, g):
    def variance(b):
        x = (A - b) * g
        return float((probs * x**2).sum() - (probs * x).sum() ** 2)

    best = min((i / 10 for i in range(-30, 51)), key=variance)
    return torch.tensor(best, dtype=torch.float64)
