"""Samples tuples.

message: all V**G
"""


def grpo_bias(probs, A, G):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    generator = torch.Generator().manual_seed(0)
    y = torch.multinomial(probs, 2000 * G, replacement=True, generator=generator).view(-1, G)
    a = group_advantages(A[y], "std", 0, 0.0)
    mean = (a[..., None] * scores[y]).mean((0, 1))
    true = (probs * A) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
