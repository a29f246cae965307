"""The optimum of the most variable coordinate.

message: squared length
"""


def optimal_baseline_vector(probs, A, G):
    spread = (probs[:, None] * G**2).sum(0)
    return optimal_baseline_scalar(probs, A, G[:, spread.argmax()])
