"""Adds probabilities instead of multiplying.

message: product of probabilities
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    for y in itertools.product(range(len(probs)), repeat=K):
        y = list(y)
        total = total + probs[y].mean() * estimator(A[y], scores[y])
    return total
