"""One baseline per coordinate.

message: per coordinate
"""


def optimal_baseline_vector(probs, A, G):
    return (probs[:, None] * A[:, None] * G**2).sum(0) / (probs[:, None] * G**2).sum(0)
