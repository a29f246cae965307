"""Independent draws, given that they differ.

message: draws come one by one
"""


def rloo_bias_without_replacement(probs, A, K):
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")

    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    mean, mass = torch.zeros_like(probs), 0.0
    for sample in itertools.permutations(range(len(probs)), K):
        y = list(sample)
        weight = probs[y].prod()
        mass = mass + weight
        mean = mean + weight * (A[y] - (A[y].sum() - A[y]) / (K - 1)) @ scores[y] / K
    return mean / mass - (probs * A) @ scores
