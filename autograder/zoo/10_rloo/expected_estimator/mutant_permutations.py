"""Without repeats.

message: left out tuples with repeats
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    for y in itertools.permutations(range(len(probs)), K):
        y = list(y)
        total = total + probs[y].prod() * estimator(A[y], scores[y])
    return total
