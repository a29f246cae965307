"""True marks what is hidden.

message: True marks what is hidden
"""


def causal_mask(T, device=None):
    return torch.ones(T, T, dtype=torch.bool, device=device).triu(1)
