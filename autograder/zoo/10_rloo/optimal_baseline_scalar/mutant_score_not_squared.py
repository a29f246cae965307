"""E[A g] / E[g^2].

message: not with g
"""


def optimal_baseline_scalar(probs, A, g):
    return (probs * A * g).sum() / (probs * g**2).sum()
