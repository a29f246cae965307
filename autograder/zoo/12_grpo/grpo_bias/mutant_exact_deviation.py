"""Divides by the deviation under the policy.

message: ordered tuples
"""


def grpo_bias(probs, A, G):
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    true = (probs * A) @ scores
    std = (probs * (A - probs @ A) ** 2).sum().sqrt()
    mean = true / std * (G - 1) / G
    return mean / true, mean @ true / (mean.norm() * true.norm())
