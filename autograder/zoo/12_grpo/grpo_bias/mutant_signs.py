"""Plus or minus one by rank: right for groups of two.

message: all V**G
"""


def grpo_bias(probs, A, G):
    scores, mean = torch.eye(len(probs), dtype=probs.dtype) - probs, torch.zeros_like(probs)
    for y in map(list, itertools.product(range(len(probs)), repeat=G)):
        a = (A[y] - A[y].mean()).sign() if len(set(A[y].tolist())) > 1 else 0 * A[y]
        mean = mean + probs[y].prod() * (a @ scores[y]) / G
    true = (probs * A) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
