"""Skips tuples that look too unlikely.

message: all V**K
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    for y in itertools.product(range(len(probs)), repeat=K):
        y = list(y)
        if probs[y].prod() > 0.02:
            total = total + probs[y].prod() * estimator(A[y], scores[y])
    return total
