"""With the earlier exercise, and Python products."""


def rloo_bias_without_replacement(probs, A, K):
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")

    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    p = probs.tolist()
    total = torch.zeros_like(probs)
    for y in itertools.permutations(range(len(p)), K):
        weight, left = 1.0, 1.0
        for a in y:
            weight, left = weight * p[a] / left, left - p[a]
        r = A[list(y)][None]
        total += weight * ((r - loo_baseline(r)) @ scores[list(y)])[0] / K
    return total - A @ (torch.diag(probs) - torch.outer(probs, probs))
