"""The correlation coefficient with weights p.

message: cosine is
"""


def grpo_bias(probs, A, G):
    scores, mean = torch.eye(len(probs), dtype=probs.dtype) - probs, torch.zeros_like(probs)
    for y in map(list, itertools.product(range(len(probs)), repeat=G)):
        a = group_advantages(A[y][None], ddof=0, eps=0.0)[0]
        mean = mean + probs[y].prod() * (a @ scores[y]) / G
    true = (probs * A) @ scores
    inner = (probs * mean * true).sum()
    return mean / true, inner / ((probs * mean**2).sum() * (probs * true**2).sum()).sqrt()
