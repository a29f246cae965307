"""Lists all tuples, and gives those with repeats weight zero."""


def rloo_bias_without_replacement(probs, A, K):
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")

    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    mean = torch.zeros_like(probs)
    for y in itertools.product(range(len(probs)), repeat=K):
        if len(set(y)) < K:
            continue
        index = torch.tensor(y)
        q = probs[index]
        weight = torch.prod(q) / torch.prod(1 - torch.cumsum(q, 0) + q)
        r = A[index]
        pairs = (r[:, None] - r[None, :]).sum(1) / (K - 1)
        mean += weight * torch.einsum("k,kv->v", pairs, scores[index]) / K
    return mean - torch.einsum("y,y,yv->v", probs, A, scores)
