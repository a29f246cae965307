"""All tuples with cartesian_prod, values stacked."""


def expected_estimator(probs, A, K, estimator):
    V = len(probs)
    tuples = torch.cartesian_prod(*[torch.arange(V)] * K).reshape(-1, K)
    scores = torch.eye(V, dtype=probs.dtype) - probs
    values = torch.stack([estimator(A[y], scores[y]) for y in tuples])
    return torch.tensordot(probs[tuples].prod(1), values, dims=1)
