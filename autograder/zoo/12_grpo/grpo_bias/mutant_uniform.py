"""Gives every tuple the same weight.

message: all V**G ordered tuples
"""


def grpo_bias(probs, A, G):
    V = len(probs)
    scores, mean = torch.eye(V, dtype=probs.dtype) - probs, torch.zeros_like(probs)
    for y in map(list, itertools.product(range(V), repeat=G)):
        a = group_advantages(A[y][None], ddof=0, eps=0.0)[0]
        mean = mean + (a @ scores[y]) / G / V**G
    true = (probs * A) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
