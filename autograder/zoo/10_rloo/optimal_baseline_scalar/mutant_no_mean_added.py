"""The covariance with the square, without E[A].

message: forgot to add E[A]
"""


def optimal_baseline_scalar(probs, A, g):
    mean = (probs * A).sum()
    return (probs * (A - mean) * g**2).sum() / (probs * g**2).sum()
