"""Counts in base V, last sample first."""


def expected_estimator(probs, A, K, estimator):
    V = len(probs)
    scores = torch.nn.functional.one_hot(torch.arange(V), V).to(probs) - probs[None]
    terms = []
    for number in range(V**K):
        y = [number // V**i % V for i in range(K)]
        terms.append(math.prod(probs[y].tolist()) * estimator(A[y], scores[y]))
    return torch.stack(terms).sum(0)
