"""Starts from a vector of zeros, so that a number becomes a vector.

message: shape
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = torch.zeros_like(probs)
    for y in itertools.product(range(len(probs)), repeat=K):
        y = list(y)
        total = total + probs[y].prod() * estimator(A[y], scores[y])
    return total
