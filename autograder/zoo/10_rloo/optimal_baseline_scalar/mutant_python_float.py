"""Returns a Python number.

message: tensor
"""


def optimal_baseline_scalar(probs, A, g):
    return float((probs * A * g**2).sum() / (probs * g**2).sum())
