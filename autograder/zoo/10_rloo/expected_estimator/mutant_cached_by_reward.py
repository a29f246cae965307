"""Remembers the estimate of equal rewards.

message: their scores differ
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total, seen = 0.0, {}
    for y in itertools.product(range(len(probs)), repeat=K):
        key = tuple(A[list(y)].tolist())
        if key not in seen:
            seen[key] = estimator(A[list(y)], scores[list(y)])
        total = total + probs[list(y)].prod() * seen[key]
    return total
