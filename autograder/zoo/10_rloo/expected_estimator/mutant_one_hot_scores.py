"""Scores without - probs.

message: scores lack - probs
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype)
    total = 0.0
    for y in itertools.product(range(len(probs)), repeat=K):
        y = list(y)
        total = total + probs[y].prod() * estimator(A[y], scores[y])
    return total
