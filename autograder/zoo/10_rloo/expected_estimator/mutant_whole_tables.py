"""Hands over all rewards and scores.

message: rewards [K] and scores [K, V]
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    for y in itertools.product(range(len(probs)), repeat=K):
        y = list(y)
        total = total + probs[y].prod() * estimator(A, scores)
    return total
