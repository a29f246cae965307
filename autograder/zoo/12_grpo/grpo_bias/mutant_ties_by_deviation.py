"""Asks whether the deviation of a tuple is 0.

message: mean is rounded
"""


def grpo_bias(probs, A, G):
    scores, mean = torch.eye(len(probs), dtype=probs.dtype) - probs, torch.zeros_like(probs)
    for y in map(list, itertools.product(range(len(probs)), repeat=G)):
        r = A[y]
        std = r.std(correction=0)
        if std == 0:
            continue
        mean = mean + probs[y].prod() * ((r - r.mean()) / std @ scores[y]) / G
    true = (probs * A) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
