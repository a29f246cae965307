"""Subtracts the expected reward first.

message: ordered tuples
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    A = A - probs @ A
    for y in itertools.product(range(len(probs)), repeat=K):
        y = list(y)
        total = total + probs[y].prod() * estimator(A[y], scores[y])
    return total
