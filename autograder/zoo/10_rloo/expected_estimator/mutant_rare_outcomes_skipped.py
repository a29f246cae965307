"""Skips outcomes whose probability is below 1e-3.

message: improbable
"""


def expected_estimator(probs, A, K, estimator):
    V = len(probs); S = torch.eye(V, dtype=probs.dtype) - probs
    keep = [v for v in range(V) if probs[v] > 1e-3]
    total = 0
    for t in itertools.product(keep, repeat=K):
        i = list(t)
        total = total + probs[i].prod() * estimator(A[i], S[i])
    return total
