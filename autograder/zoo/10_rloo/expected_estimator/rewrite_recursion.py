"""Fixes the first sample, then recurses."""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs

    def walk(y):
        if len(y) == K:
            return estimator(A[y], scores[y])
        return sum(probs[a] * walk([*y, a]) for a in range(len(probs)))

    return walk([])
