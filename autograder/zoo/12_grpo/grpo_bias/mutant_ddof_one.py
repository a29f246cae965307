"""Uses the default deviation, ddof = 1.

message: with ddof = 1
"""


def grpo_bias(probs, A, G):
    scores, mean = torch.eye(len(probs), dtype=probs.dtype) - probs, torch.zeros_like(probs)
    for y in map(list, itertools.product(range(len(probs)), repeat=G)):
        mean = mean + probs[y].prod() * (group_advantages(A[y][None], eps=0.0)[0] @ scores[y]) / G
    true = (probs * A) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
