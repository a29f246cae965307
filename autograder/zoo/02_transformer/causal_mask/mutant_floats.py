"""Ones and zeros in float64.

message: Return booleans
"""


def causal_mask(T, device=None):
    return torch.ones(T, T, dtype=torch.float64, device=device).tril()
