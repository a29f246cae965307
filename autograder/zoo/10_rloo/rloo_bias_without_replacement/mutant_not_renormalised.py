"""Multiplies bare probabilities.

message: did not renormalise
"""


def rloo_bias_without_replacement(probs, A, K):
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")

    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    mean = torch.zeros_like(probs)
    for sample in itertools.permutations(range(len(probs)), K):
        y = list(sample)
        taken = probs[y].cumsum(0) - probs[y]
        weight = probs[y].prod()
        mean = mean + weight * (A[y] - (A[y].sum() - A[y]) / (K - 1)) @ scores[y] / K
    return mean - (probs * A) @ scores
