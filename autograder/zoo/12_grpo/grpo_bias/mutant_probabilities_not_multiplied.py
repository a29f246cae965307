"""Weighs a tuple with the sum of its probabilities.

message: ordered tuples
"""


def grpo_bias(probs, A, G):
    scores, mean = torch.eye(len(probs), dtype=probs.dtype) - probs, torch.zeros_like(probs)
    total = 0.0
    for y in map(list, itertools.product(range(len(probs)), repeat=G)):
        a = group_advantages(A[y][None], ddof=0, eps=0.0)[0]
        mean, total = mean + probs[y].sum() * (a @ scores[y]) / G, total + probs[y].sum()
    mean, true = mean / total, (probs * A) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
