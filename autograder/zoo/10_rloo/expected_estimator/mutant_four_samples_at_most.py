"""Takes four samples at most.

message: improbable
"""


def expected_estimator(probs, A, K, estimator):
    V = len(probs); S = torch.eye(V, dtype=probs.dtype) - probs; total = 0
    for t in itertools.product(range(V), repeat=min(K, 4)):
        i = list(t)
        total = total + probs[i].prod() * estimator(A[i], S[i])
    return total
