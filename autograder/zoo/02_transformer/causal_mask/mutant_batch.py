"""Adds a batch dimension.

message: bool tensor [T, T]
"""


def causal_mask(T, device=None):
    return torch.ones(T, T, dtype=torch.bool, device=device).tril()[None]
