"""Combinations with repeats, each once.

message: listed combinations
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    for y in itertools.combinations_with_replacement(range(len(probs)), K):
        y = list(y)
        total = total + probs[y].prod() * estimator(A[y], scores[y])
    return total
