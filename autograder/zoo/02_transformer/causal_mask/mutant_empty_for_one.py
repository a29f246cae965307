"""A shortcut that fails for one token.

message: single token sees itself
"""


def causal_mask(T, device=None):
    mask = torch.ones(T, T, dtype=torch.bool, device=device).tril()
    return mask if T > 1 else ~mask
