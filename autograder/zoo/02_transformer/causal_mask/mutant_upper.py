"""Sees the future and not the past.

message: upside down
"""


def causal_mask(T, device=None):
    return torch.ones(T, T, dtype=torch.bool, device=device).triu()
