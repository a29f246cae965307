"""K = 2, as in the text.

message: K that is asked for
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    for y in itertools.product(range(len(probs)), repeat=2):
        y = list(y)
        total = total + probs[y].prod() * estimator(A[y], scores[y])
    return total
