"""Computes in float32.

message: weighs each reward
"""


def optimal_baseline_scalar(probs, A, g):
    probs, A, g = probs.float(), A.float(), g.float()
    return ((probs * A * g**2).sum() / (probs * g**2).sum()).double()
