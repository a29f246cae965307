"""Skips tuples whose probability is below 1e-9.

message: improbable
"""


def expected_estimator(probs, A, K, estimator):
    V = len(probs); S = torch.eye(V, dtype=probs.dtype) - probs; total = 0
    for t in itertools.product(range(V), repeat=K):
        i = list(t)
        if probs[i].prod() < 1e-9: continue
        total = total + probs[i].prod() * estimator(A[i], S[i])
    return total
