"""Returns a Python number.

message: tensor
"""


def optimal_baseline_vector(probs, A, G):
    weight = probs * (G**2).sum(1)
    return float((weight * A).sum() / weight.sum())
