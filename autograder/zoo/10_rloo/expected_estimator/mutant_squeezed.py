"""Squeezes the result.

message: estimator's shape
"""


def expected_estimator(probs, A, K, estimator):
    V = len(probs); S = torch.eye(V, dtype=probs.dtype) - probs; total = None
    for t in itertools.product(range(V), repeat=K):
        i = list(t)
        v = probs[i].prod() * estimator(A[i], S[i])
        total = v if total is None else total + v
    return total.squeeze()
