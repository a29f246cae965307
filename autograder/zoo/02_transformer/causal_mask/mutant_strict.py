"""Hides a token from itself.

message: diagonal is missing
"""


def causal_mask(T, device=None):
    return torch.ones(T, T, dtype=torch.bool, device=device).tril(-1)
