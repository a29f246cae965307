"""Works in float32.

message: dtype
"""


def grpo_bias(probs, A, G):
    p, R = probs.float(), A.float()
    scores, mean = torch.eye(len(p)) - p, torch.zeros_like(p)
    for y in map(list, itertools.product(range(len(p)), repeat=G)):
        mean = mean + p[y].prod() * (group_advantages(R[y][None], "std", 0, 0.0)[0] @ scores[y]) / G
    true = (p * R) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
