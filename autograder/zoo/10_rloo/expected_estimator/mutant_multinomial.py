"""Combinations with multinomial weights: assumes a symmetric estimator.

message: ordered tuples
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    total = 0.0

    for y in itertools.combinations_with_replacement(range(len(probs)), K):
        y = list(y)
        ways = math.factorial(K)
        for a in set(y):
            ways //= math.factorial(y.count(a))
        total = total + ways * probs[y].prod() * estimator(A[y], scores[y])
    return total
