"""E[A].

message: That is E[A]:
"""


def optimal_baseline_scalar(probs, A, g):
    return (probs * A).sum()
