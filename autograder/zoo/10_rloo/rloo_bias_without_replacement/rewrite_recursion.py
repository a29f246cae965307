"""Walks the tree of draws."""


def rloo_bias_without_replacement(probs, A, K):
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")

    scores = torch.eye(len(probs), dtype=probs.dtype) - probs

    def walk(y, left):
        if len(y) == K:
            r = A[y]
            return (r - r.mean()) @ scores[y] / (K - 1)
        rest = [a for a in range(len(probs)) if a not in y]
        return sum(probs[a] / left * walk([*y, a], left - probs[a]) for a in rest)

    return walk([], 1.0) - probs * (A - probs @ A)
