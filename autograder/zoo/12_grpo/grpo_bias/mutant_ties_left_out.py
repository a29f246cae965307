"""Leaves tuples of equal rewards out of the mean.

message: left the tuples of equal rewards out
"""


def grpo_bias(probs, A, G):
    scores, mean, kept = torch.eye(len(probs), dtype=probs.dtype) - probs, torch.zeros_like(probs), 0.0
    for y in map(list, itertools.product(range(len(probs)), repeat=G)):
        if len(set(A[y].tolist())) == 1:
            continue
        kept = kept + probs[y].prod()
        a = group_advantages(A[y][None], ddof=0, eps=0.0)[0]
        mean = mean + probs[y].prod() * (a @ scores[y]) / G
    mean, true = mean / kept, (probs * A) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
