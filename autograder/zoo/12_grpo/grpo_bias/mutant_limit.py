"""The limit of large groups.

message: all V**G
"""


def grpo_bias(probs, A, G):
    std = (probs * (A - probs @ A) ** 2).sum().sqrt()
    return torch.ones_like(probs) / std, torch.ones((), dtype=probs.dtype)
