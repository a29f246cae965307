"""The optimum of the first coordinate.

message: first coordinate only
"""


def optimal_baseline_vector(probs, A, G):
    return optimal_baseline_scalar(probs, A, G[:, 0])
