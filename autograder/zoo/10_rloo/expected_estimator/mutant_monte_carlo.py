"""Samples instead of listing.

message: all V**K ordered tuples
"""


def expected_estimator(probs, A, K, estimator):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    for _ in range(200):
        y = torch.multinomial(probs, K, replacement=True, generator=generator)
        total = total + estimator(A[y], scores[y]) / 200
    return total
