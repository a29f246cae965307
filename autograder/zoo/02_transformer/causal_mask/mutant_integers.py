"""Ones and zeros as integers.

message: bool tensor [T, T]
"""


def causal_mask(T, device=None):
    return torch.ones(T, T, dtype=torch.long, device=device).tril()
