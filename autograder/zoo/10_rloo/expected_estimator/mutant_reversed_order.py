"""Hands the tuple over backwards, its scores forwards.

message: one-hot vector of y_i
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    for y in itertools.product(range(len(probs)), repeat=K):
        y = list(y)
        total = total + probs[y].prod() * estimator(A[y], scores[y[::-1]])
    return total
